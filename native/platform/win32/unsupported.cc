// What Windows has nothing like (forking), and what is not made for it yet.
#include "platform/unsupported_fork.h"
#include "platform/unsupported_named.h"
#include "platform/unsupported_sockets.h"
