// Leaving the JavaScript that runs: a forked child must not go on with what its parent was doing.
//
// Node-API has no call for it. V8's own have had the same names since long before the oldest Node we serve; they are
// looked up when they are needed, so that the addon loads without them.
#pragma once

namespace mp::node {

/// Whether this Node has what the others need.
bool can_unwind();
/// Microtasks that wait never run: now, or if one of them runs this, when it is ended by unwind().
void drop_microtasks();
/// The running JavaScript ends at its next function call or turn of a loop; no catch or finally of it runs.
void unwind();
/// The event loop is reached: JavaScript runs as ever. V8 may still be about to end what comes next.
void unwound_at_loop();

}  // namespace mp::node
