// The life-line of a process: a pipe of which its children have the end that is read. It can be read when the process is about to
// end, which writes to it, and when it has ended, by any cause, which closes it.
#pragma once

namespace mp::platform {

/// Says that this process is about to end. May be called by any thread.
void life_line_ring();
/// Has the kernel wake this process at the end of the process whose life-line this is, should it be stopped then. False: it
/// cannot.
bool life_line_wakes(int life_line);
/// In a process that was forked from the one whose life-line it is.
void life_line_leave();

}  // namespace mp::platform
