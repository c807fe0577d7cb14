#include "runtime/metrics/process.hpp"

#include "runtime/metrics/page.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace greenroom {

namespace {

/// The fields of /proc/self/stat after the name, which may hold anything; the
/// first one is number 3 of proc(5).
std::istringstream own_stat() {
  std::ifstream in{"/proc/self/stat"};
  std::string line;
  std::getline(in, line);
  auto end = line.rfind(')');
  return std::istringstream{end == line.npos ? "" : line.substr(end + 1)};
}

double boot_time() {
  std::ifstream in{"/proc/stat"};
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("btime "))
      return std::stod(line.substr(6));
  return 0;
}

void add_stat(metrics_page& page) {
  auto in = own_stat();
  std::string skipped;
  double user = 0;
  double system = 0;
  double started = 0;
  double size = 0;
  double resident = 0;
  for (int field = 3; field < 14; ++field)
    in >> skipped;
  in >> user >> system;
  for (int field = 16; field < 22; ++field)
    in >> skipped;
  in >> started >> size >> resident;
  if (!in)
    return;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  page.counter("process_cpu_seconds_total",
               "Time of processors that this process has taken.",
               (user + system) / ticks);
  page.gauge("process_start_time_seconds",
             "When this process started, since the epoch.",
             boot_time() + started / ticks);
  page.gauge("process_virtual_memory_bytes", "Its address space.", size);
  page.gauge("process_resident_memory_bytes", "Its resident memory.",
             resident * static_cast<double>(::sysconf(_SC_PAGESIZE)));
}

void add_descriptors(metrics_page& page) {
  std::error_code error;
  std::filesystem::directory_iterator open{"/proc/self/fd", error};
  if (!error)
    page.gauge("process_open_fds", "Its open descriptors.",
               static_cast<double>(std::distance(begin(open), end(open)) - 1));
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    page.gauge("process_max_fds", "How many descriptors it may have.",
               static_cast<double>(limit.rlim_cur));
}

} // namespace

void add_process(metrics_page& page) {
  add_stat(page);
  add_descriptors(page);
}

} // namespace greenroom
