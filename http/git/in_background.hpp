// Calls that block, for coroutines of a loop that must not.
#pragma once

#include "http/base/asio.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <type_traits>

namespace greenroom::http::git_http {

/// Returns, or throws, what `what` does on a thread of `where`, which ends
/// before the loop; the loop goes on meanwhile.
template <class F>
asio::awaitable<std::invoke_result_t<F>> in_background(asio::thread_pool& where,
                                                       F what) {
  using result = std::invoke_result_t<F>;
  auto work = [&what]() -> asio::awaitable<result> { co_return what(); };
  co_return co_await asio::co_spawn(where, work, asio::use_awaitable);
}

} // namespace greenroom::http::git_http
