#include "runtime/runner/protocol/run_lease.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace greenroom::runner {

namespace {

unique_fd open_lease(const std::string& file, int flags) {
  unique_fd result{::open(file.c_str(), flags | O_CLOEXEC, 0600)};
  if (!result)
    throw std::system_error(errno, std::generic_category(),
                            "cannot open \"" + file + '"');
  return result;
}

void write_at(int file, off_t place, millis value) {
  if (::pwrite(file, &value, sizeof value, place) != sizeof value)
    throw std::system_error(errno, std::generic_category(),
                            std::string{"cannot write "} + run_lease_file);
}

millis read_at(int file, off_t place) noexcept {
  millis value = 0;
  return ::pread(file, &value, sizeof value, place) == sizeof value ? value : 0;
}

} // namespace

run_lease run_lease_of(millis since, millis lease, millis delay) {
  const auto from = since + delay;
  return {from + lease * 2 / 3, from + lease * 11 / 12};
}

run_lease_writer::run_lease_writer(const std::filesystem::path& data_dir)
  : file_(open_lease((data_dir / run_lease_file).string(), O_RDWR | O_CREAT)) {}

// The later time first: nobody may see one that ends before it is told.
void run_lease_writer::write(const run_lease& lease) {
  write_at(file_.get(), sizeof(millis), lease.kill_at);
  write_at(file_.get(), 0, lease.stop_at);
}

run_lease_reader::run_lease_reader(const std::string& file)
  : file_(open_lease(file, O_RDONLY)) {}

run_lease run_lease_reader::read() const noexcept {
  return {read_at(file_.get(), 0), read_at(file_.get(), sizeof(millis))};
}

} // namespace greenroom::runner
