#include "actors/cluster/shared_keys.hpp"

#include "messages/errors.hpp"

#include <spdlog/spdlog.h>

#include <functional>
#include <memory>
#include <utility>

namespace greenroom {

namespace {

using shared_keys_pointer =
  shared_keys_core::stateful_pointer<shared_keys_state>;

/// The own registry writes to the store first.
constexpr std::chrono::seconds change_timeout{25};

// Calls `then` once all nodes know, or have had their time.
void spread(shared_keys_pointer self, const std::string& revoked,
            const std::function<void()>& then) {
  // The last one that lets go of it has them all.
  std::shared_ptr<void> all{nullptr, [then](void*) { then(); }};
  self->request(self->state.links, share_timeout, find_nodes{})
    .then(
      [self, revoked, all](const linked_nodes& found) {
        for (auto& node : found.nodes)
          if (node.registry)
            self->request(node.registry, share_timeout, share_keys{revoked})
              .then([all](done) {},
                    [all, name = node.node](const caf::error&) {
                      spdlog::warn("node {} has not heard of a change of keys, "
                                   "it reads them when it can be reached again",
                                   name);
                    });
      },
      [all](const caf::error&) {});
}

caf::result<key_created> create(shared_keys_pointer self,
                                const create_key& what) {
  auto promise = self->make_response_promise<key_created>();
  self->request(self->state.own, change_timeout, what)
    .then(
      [self, promise](const key_created& made) {
        const std::string none;
        spread(self, none,
               [promise, made]() mutable { promise.deliver(made); });
      },
      [promise](const caf::error& why) mutable { promise.deliver(why); });
  return promise;
}

// A key that is not known may have been made at a node that could not say so:
// then the store is asked, once.
void revoke(shared_keys_pointer self, const revoke_key& what, bool look_again,
            caf::typed_response_promise<done> promise) {
  auto fail = [promise](const caf::error& why) mutable {
    promise.deliver(why);
  };
  auto refused = [=](const caf::error& why) mutable {
    auto unknown = to_refusal(why).code == errc::not_found;
    if (unknown && look_again)
      self->request(self->state.own, share_timeout, share_keys{})
        .then([=](done) { revoke(self, what, false, promise); }, fail);
    else if (unknown)
      fail(why);
    else // one that the store still has is dead all the same
      spread(self, what.key_id, [=]() mutable { fail(why); });
  };
  self->request(self->state.own, change_timeout, what)
    .then(
      [=](done) {
        spread(self, what.key_id,
               [promise]() mutable { promise.deliver(done{}); });
      },
      refused);
}

// One look at a time: a store that is away must not find a queue of them.
void look_into_store(shared_keys_pointer self) {
  auto again = [self] {
    self->delayed_send(self, self->state.period, clock_tick{});
  };
  self->request(self->state.own, change_timeout, share_keys{})
    .then([again](done) { again(); }, [again](const caf::error&) { again(); });
}

} // namespace

shared_keys_core::behavior_type shared_keys(shared_keys_pointer self,
                                            shared_registry_actor own,
                                            links_actor links,
                                            std::chrono::milliseconds period) {
  self->state.own = std::move(own);
  self->state.links = std::move(links);
  self->state.period = period;
  self->delayed_send(self, period, clock_tick{});
  return {
    [self](const create_key& x) { return create(self, x); },
    [self](list_keys x) {
      return self->delegate(
        caf::actor_cast<key_registry_actor>(self->state.own), x);
    },
    [self](const revoke_key& x) -> caf::result<done> {
      auto promise = self->make_response_promise<done>();
      revoke(self, x, true, promise);
      return promise;
    },
    [self](const join_edge& x) {
      self->send(caf::actor_cast<key_registry_actor>(self->state.own), x);
    },
    [self](const clock_tick&) { look_into_store(self); },
  };
}

} // namespace greenroom
