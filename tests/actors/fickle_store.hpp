// A store's writer that does not say, or not at first, what it has done.
#pragma once

#include "messages/errors.hpp"
#include "messages/store.hpp"

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/message_view.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace greenroom::test {

struct fickle_answer {
  errc code = errc::timeout;
  bool is_done = false; // all the same
};

/// Answers the first requests of one kind so; all else is `whole`'s to do. To
/// be cast to a store_writer_actor.
template <class Request, class Reply = done>
caf::behavior fickle_store(caf::event_based_actor* self,
                           store_writer_actor whole,
                           std::vector<fickle_answer> script) {
  self->set_default_handler(
    [whole](caf::scheduled_actor* base, caf::message_view& what) {
      return caf::result<caf::message>{
        static_cast<caf::event_based_actor*>(base)->delegate(
          caf::actor_cast<caf::actor>(whole), what.move_content_to_message())};
    });
  auto next = std::make_shared<std::size_t>(0);
  return {[self, whole, script, next](Request& x) -> caf::result<Reply> {
    if (*next == script.size())
      return self->delegate(whole, std::move(x));
    auto answer = script[(*next)++];
    auto why = make_error(answer.code, "the store says nothing");
    if (!answer.is_done)
      return why;
    auto promise = self->make_response_promise<Reply>();
    self->request(whole, caf::infinite, std::move(x))
      .then(
        [promise, why](const Reply&) mutable { promise.deliver(why); },
        [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
    return promise;
  }};
}

} // namespace greenroom::test
