#include "http/streams/awaited_answer.hpp"

#include "http/edge/thread_context.hpp"
#include "http/streams/response_registry.hpp"
#include "runtime/auth/api_keys.hpp"

#include <memory>

namespace greenroom::http {

namespace {

class awaited_answer final : public long_response {
public:
  explicit awaited_answer(const exchange_ptr& ex)
    : long_response(*ex), ex_(ex) {}

  void close(closing why) override {
    auto ex = ex_.lock();
    if (!ex)
      return;
    if (why == closing::revoked || why == closing::expired) {
      // It is no answer to whoever repeats the request.
      ex->record.reset();
      ex->refuse(why_closed(why));
    }
    // While the server stops the actor has some time left to answer. Where the
    // client has left nothing is lost by that.
    ex->until_answered.reset();
  }
  void tick(clock::time_point) override {}

private:
  std::weak_ptr<exchange> ex_; // which holds on to this
};

} // namespace

bool await_answer_with_key(const exchange_ptr& ex) {
  auto& streams = ex->env.streams;
  streams.admit(*ex);
  auto one = std::make_shared<awaited_answer>(ex);
  // Held by the table as well, but not for longer.
  ex->until_answered = std::shared_ptr<void>(
    one.get(), [&streams, one](void*) { streams.remove(*one); });
  return streams.add(std::move(one)) || !ex->answered();
}

} // namespace greenroom::http
