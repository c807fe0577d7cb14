#include "runtime/base/injected_faults.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

namespace greenroom {

namespace {

std::atomic<bool> any{false};
std::mutex guard;
std::map<std::string, fault, std::less<>> faults; // under guard
std::condition_variable cleared;
unsigned times_cleared = 0; // under guard

// Waits as the process's own fault of that name says, or until it is cleared.
int own_fault(std::string_view call) {
  std::unique_lock lock{guard};
  auto found = faults.find(call);
  if (found == faults.end())
    return 0;
  auto what = found->second;
  cleared.wait_for(lock, what.delay, [before = times_cleared] {
    return times_cleared != before;
  });
  return what.error;
}

fault find_in_file(const char* path, std::string_view call) {
  std::ifstream file{path};
  std::string name;
  long delay = 0;
  int error = 0;
  while (file >> name >> delay >> error)
    if (name == call)
      return {std::chrono::milliseconds{delay}, error};
  return {};
}

} // namespace

int injected_fault(std::string_view call) {
  static const char* const path = std::getenv("GREENROOM_FAULTS");
  if (path == nullptr)
    return any ? own_fault(call) : 0;
  auto found = find_in_file(path, call);
  if (found.delay.count() > 0)
    std::this_thread::sleep_for(found.delay);
  return found.error;
}

void inject_fault(const std::string& call, fault what) {
  std::lock_guard lock{guard};
  faults[call] = what;
  any = true;
}

void clear_faults() {
  {
    std::lock_guard lock{guard};
    faults.clear();
    any = false;
    ++times_cleared;
  }
  cleared.notify_all();
}

} // namespace greenroom
