#include "actors/cluster/remote_session.hpp"

#include "messages/relay.hpp"

#include <caf/message_view.hpp>

#include <algorithm>
#include <utility>

namespace greenroom {

namespace {

using remote_session_pointer = caf::stateful_actor<remote_session_state>*;

caf::result<caf::message> hand_on(caf::scheduled_actor* base,
                                  caf::message_view& what) {
  auto* self = static_cast<remote_session_pointer>(base);
  return self->delegate(caf::actor_cast<caf::actor>(self->state.session),
                        what.move_content_to_message());
}

// Not while somebody is about to watch: the session would do that first, and
// then stop telling this one anything.
void unwatch_if_alone(remote_session_pointer self) {
  auto& state = self->state;
  if (state.joining > 0 || !std::exchange(state.left, false)
      || !state.watchers.empty())
    return;
  self->send(state.session,
             unwatch_session{caf::actor_cast<watcher_actor>(self)});
}

void leave(remote_session_pointer self, const caf::actor_addr& watcher) {
  auto& all = self->state.watchers;
  auto gone = std::erase_if(
    all, [&](const watcher_actor& x) { return x.address() == watcher; });
  if (gone == 0)
    return;
  self->demonitor(watcher);
  self->state.left = all.empty();
  unwatch_if_alone(self);
}

void say_taken(remote_session_pointer self, std::uint64_t seq) {
  self->state.untold = 0;
  self->send(caf::actor_cast<relayed_actor>(self->state.session),
             taken_events{caf::actor_cast<watcher_actor>(self), seq});
}

void hand_out(remote_session_pointer self, const event_batch& events) {
  for (auto& watcher : self->state.watchers)
    self->send(watcher, events);
  self->state.untold += weight_of(events);
  if (self->state.untold >= relay_step)
    say_taken(self, events.last);
}

// The session answers after the batches that it has sent, and before those
// that follow: so the watcher gets all of these and none of the others.
caf::result<watch_reply> watch(remote_session_pointer self,
                               watch_session request) {
  auto promise = self->make_response_promise<watch_reply>();
  auto watcher = request.watcher;
  request.watcher = caf::actor_cast<watcher_actor>(self);
  ++self->state.joining;
  self->request(self->state.session, caf::infinite, std::move(request))
    .then(
      [self, promise, watcher](const watch_reply& reply) mutable {
        auto& all = self->state.watchers;
        if (reply.state == watch_state::hot)
          say_taken(self, reply.last.seq);
        if (reply.state == watch_state::hot
            && std::ranges::find(all, watcher) == all.end()) {
          all.push_back(watcher);
          self->monitor(watcher);
        }
        --self->state.joining;
        unwatch_if_alone(self);
        promise.deliver(reply);
      },
      [self, promise](caf::error& why) mutable {
        --self->state.joining;
        unwatch_if_alone(self);
        promise.deliver(std::move(why));
      });
  return promise;
}

} // namespace

caf::behavior remote_session(remote_session_pointer self,
                             session_actor session) {
  self->state.session = std::move(session);
  self->monitor(self->state.session);
  self->set_default_handler(hand_on);
  self->set_down_handler([self](const caf::down_msg& message) {
    if (message.source == self->state.session.address())
      self->quit(message.reason);
    else
      leave(self, message.source);
  });
  return {
    [self](const watch_session& request) { return watch(self, request); },
    [self](const unwatch_session& request) {
      leave(self, request.watcher.address());
    },
    [self](const event_batch& events) { hand_out(self, events); },
  };
}

} // namespace greenroom
