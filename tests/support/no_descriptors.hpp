// While it lives, this process gets no new descriptor: every call that would
// make one fails with EMFILE. What is open stays open.
#pragma once

#include <sys/resource.h>

#include <cerrno>
#include <system_error>

namespace greenroom::test {

class no_descriptors {
public:
  no_descriptors() {
    ::getrlimit(RLIMIT_NOFILE, &normal_);
    auto none = normal_;
    none.rlim_cur = 0;
    set(none);
  }
  no_descriptors(const no_descriptors&) = delete;
  no_descriptors& operator=(const no_descriptors&) = delete;
  ~no_descriptors() {
    ::setrlimit(RLIMIT_NOFILE, &normal_);
  }

private:
  static void set(const rlimit& to) {
    if (::setrlimit(RLIMIT_NOFILE, &to) != 0)
      throw std::system_error(errno, std::generic_category(), "setrlimit");
  }

  rlimit normal_{};
};

} // namespace greenroom::test
