#include "actors/cluster/shared_keys.hpp"

#include <spdlog/spdlog.h>

#include <functional>
#include <memory>
#include <utility>

namespace greenroom {

namespace {

using pointer = key_registry_actor::stateful_pointer<shared_keys_state>;

/// The own registry writes to the store first.
constexpr std::chrono::seconds change_timeout{25};

// Calls `then` once all nodes know, or have had their time.
void spread(pointer self, const std::string& revoked,
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

template <class Reply, class Message>
caf::result<Reply> change(pointer self, Message message,
                          const std::string& revoked) {
  auto promise = self->make_response_promise<Reply>();
  self->request(self->state.own, change_timeout, std::move(message))
    .then(
      [self, promise, revoked](const Reply& reply) {
        spread(self, revoked,
               [promise, reply]() mutable { promise.deliver(reply); });
      },
      // A key that the store still has is dead all the same.
      [self, promise, revoked](const caf::error& why) {
        spread(self, revoked,
               [promise, why]() mutable { promise.deliver(why); });
      });
  return promise;
}

} // namespace

key_registry_actor::behavior_type
shared_keys(pointer self, shared_registry_actor own, links_actor links) {
  self->state.own = std::move(own);
  self->state.links = std::move(links);
  return {
    [self](const create_key& x) {
      return change<key_created>(self, x, std::string{});
    },
    [self](list_keys x) {
      return self->delegate(
        caf::actor_cast<key_registry_actor>(self->state.own), x);
    },
    [self](const revoke_key& x) { return change<done>(self, x, x.key_id); },
    [self](const join_edge& x) {
      self->send(caf::actor_cast<key_registry_actor>(self->state.own), x);
    },
  };
}

} // namespace greenroom
