// Where exceptions of runtime/ become errors that actors can answer with.
#pragma once

#include "messages/common.hpp"
#include "messages/errors.hpp"
#include "messages/shortage.hpp"

#include <caf/result.hpp>
#include <spdlog/spdlog.h>

#include <exception>
#include <system_error>
#include <type_traits>
#include <utility>

namespace greenroom {

/// The error for the exception that is being handled. What a user did wrong
/// keeps its sentence; what the machine did is logged, and said plainly. What
/// it lacks for a moment is no internal error: the user may try again.
inline caf::error current_error(const char* what) {
  try {
    throw;
  } catch (const refused& e) {
    return make_error(e.code(), e.what());
  } catch (const std::exception& e) {
    spdlog::error("{} failed: {}", what, e.what());
    auto why = refusal_of(std::current_exception());
    if (why.code != errc::internal)
      return to_error(why);
    return make_error(errc::internal,
                      std::string{"internal error: "} + what + " failed");
  }
}

/// The error that an actor ends with for an exception: overloaded where the
/// machine is short of something that it may have again in a moment.
inline caf::error error_of_crash(const std::exception_ptr& what) {
  try {
    std::rethrow_exception(what);
  } catch (const std::system_error& e) {
    if (e.code() != std::errc::io_error && refusal_of_shortage(e.code()))
      return make_error(errc::overloaded, e.what());
    return make_error(errc::internal, e.what());
  } catch (const std::exception& e) {
    return make_error(errc::internal, e.what());
  } catch (...) {
    return make_error(errc::internal, "an unknown exception");
  }
}

/// Runs `f` and answers with its result, or with the error for its exception.
template <class F>
auto guarded(const char* what, F&& f) {
  using value = std::invoke_result_t<F>;
  if constexpr (std::is_void_v<value>) {
    try {
      std::forward<F>(f)();
      return caf::result<done>{done{}};
    } catch (...) {
      return caf::result<done>{current_error(what)};
    }
  } else {
    try {
      return caf::result<value>{std::forward<F>(f)()};
    } catch (...) {
      return caf::result<value>{current_error(what)};
    }
  }
}

} // namespace greenroom
