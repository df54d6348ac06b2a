#include "core/point.h"
#include "support/check.h"

void (*mp_on_point)(const char*) = nullptr;  // a test may look into the middle of an operation
namespace mp::test {
void at_point(const char* name) {
  if (mp_on_point != nullptr) mp_on_point(name);
}
}  // namespace mp::test

int main(int count, char** names) { return mp::test::check_main(count, names); }
