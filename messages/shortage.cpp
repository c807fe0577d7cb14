#include "messages/shortage.hpp"

#include <cerrno>
#include <new>

namespace greenroom {

namespace {

refusal short_of(const char* what) {
  return {errc::overloaded,
          std::string{"the server is short of "} + what + ", try again"};
}

refusal disk_takes_nothing(const char* why) {
  return {errc::unavailable, std::string{"the server's disk "} + why
                               + ", try again when that is mended"};
}

} // namespace

std::optional<refusal> refusal_of_shortage(const std::error_code& error) {
  if (error.category() != std::generic_category()
      && error.category() != std::system_category())
    return std::nullopt;
  switch (error.value()) {
    case EMFILE:
    case ENFILE:
      return short_of("file descriptors");
    case ENOMEM:
    case ENOBUFS:
      return short_of("memory");
    case EAGAIN:
      return short_of("processes or threads");
    case ENOSPC:
    case EDQUOT:
      return disk_takes_nothing("is full");
    case EROFS:
      return disk_takes_nothing("cannot be written");
    case EIO:
      return disk_takes_nothing("fails");
    default:
      return std::nullopt;
  }
}

refusal refusal_of(const std::exception_ptr& what) noexcept {
  try {
    std::rethrow_exception(what);
  } catch (const refused& e) {
    return {e.code(), e.what()};
  } catch (const std::system_error& e) {
    if (auto found = refusal_of_shortage(e.code()))
      return *found;
  } catch (const std::bad_alloc&) {
    return short_of("memory");
  } catch (...) {
  }
  return {errc::internal, "internal error"};
}

} // namespace greenroom
