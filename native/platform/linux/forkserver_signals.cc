// The signals of a forkserver. It ends after its last user and its last child and not before: what is sent to a whole group,
// by a terminal, a supervisor or a shutdown, is for the others in it, whose exit codes only the server can tell.
#include <string.h>

#include "platform/linux/forkserver.h"
#include "platform/platform.h"

namespace mp::platform {
namespace {

/// The first kToGroups are sent to groups (SIGUSR1 would start the inspector, and its thread); the last would take our
/// children's ends away.
constexpr int kTaken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGCHLD};
constexpr int kToGroups = 5;

/// What Node had for them.
struct sigaction of_node[kToGroups];

void take(int at, struct sigaction* before) {
  struct sigaction ours;
  memset(&ours, 0, sizeof ours);
  ours.sa_handler = at < kToGroups ? SIG_IGN : SIG_DFL;
  sigaction(kTaken[at], &ours, before);
}

bool is_ignored(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void fork_shield() {
  for (int i = 0; i < kToGroups; i++) take(i, &of_node[i]);
}

ServerSignals::ServerSignals() {
  for (int i = 0; i < kCount; i++) take(i, &before_[i]);
}

ServerSignals::~ServerSignals() {
  if (given_back_) return;
  for (int i = 0; i < kCount; i++) sigaction(kTaken[i], &before_[i], nullptr);
}

void ServerSignals::give_back_in_child() {
  given_back_ = true;
  for (int i = 0; i < kCount; i++) {
    const bool ours = i < kToGroups && is_ignored(before_[i]);
    sigaction(kTaken[i], ours ? &of_node[i] : &before_[i], nullptr);
  }
}

}  // namespace mp::platform
