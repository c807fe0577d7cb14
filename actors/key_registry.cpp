#include "actors/key_registry.hpp"

#include "actors/base/error_boundary.hpp"
#include "messages/errors.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <chrono>

namespace greenroom {

namespace {

using pointer = key_registry_actor::stateful_pointer<key_registry_state>;

// What HTTP threads read from now on.
void publish(key_registry_state& state) {
  auto valid = state.keys;
  std::erase_if(valid, [&](const key_record& key) {
    return state.revoked.contains(key.id);
  });
  state.ring->replace(std::move(valid));
}

// A key is dead before its row is: a store that takes no change, as on a full
// disk, must not keep it alive. Its row is removed as soon as that can be done,
// whether anybody asks again or not.
caf::result<done> revoke(pointer self, const std::string& id) {
  auto& state = self->state;
  if (std::ranges::find(state.keys, id, &key_record::id) == state.keys.end())
    return make_error(errc::not_found, "key not found");
  state.revoked.insert(id);
  publish(state);
  for (auto& edge : state.edges)
    self->send(edge, key_revoked{id});
  auto promise = self->make_response_promise<done>();
  self->request(state.store, store_timeout, drop_key{id})
    .then(
      [self, promise, id](done) mutable {
        std::erase_if(self->state.keys,
                      [&](const key_record& key) { return key.id == id; });
        self->state.revoked.erase(id);
        promise.deliver(done{});
      },
      [self, promise, id](const caf::error& e) mutable {
        caf::delayed_anon_send(key_registry_actor{self}, revoke_retry,
                               revoke_key{id});
        promise.deliver(make_error(
          to_refusal(e).code,
          "the key is dead from now on, but the store does not take that at "
          "the moment: a restart before it does would bring the key back"));
      });
  return promise;
}

} // namespace

key_registry_actor::behavior_type key_registry(pointer self,
                                               store_writer_actor store,
                                               key_ring* ring,
                                               std::vector<key_record> keys) {
  auto& state = self->state;
  state.store = std::move(store);
  state.ring = ring;
  state.keys = std::move(keys);
  return {
    [self](create_key& request) -> caf::result<key_created> {
      auto& known = self->state.keys;
      if (auto first =
            std::ranges::find(known, request.key_id, &key_record::id);
          !request.key_id.empty() && first != known.end())
        return key_created{*first, {}}; // its secret is kept nowhere
      made_key made;
      try {
        made =
          make_key(request.name, request.scopes, request.projects,
                   request.expires_in == 0 ? 0 : now_ms() + request.expires_in,
                   request.author);
      } catch (...) {
        return current_error("making a key");
      }
      if (!request.key_id.empty())
        made.record.id = request.key_id;
      auto promise = self->make_response_promise<key_created>();
      self->request(self->state.store, store_timeout, put_key{made.record})
        .then(
          [self, promise, made](done) mutable {
            auto& all = self->state.keys;
            std::erase_if(all, [&](const key_record& key) {
              return key.id == made.record.id;
            });
            all.push_back(made.record);
            publish(self->state);
            promise.deliver(key_created{made.record, made.secret});
          },
          [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
      return promise;
    },
    [self](list_keys) {
      key_list result{self->state.keys};
      std::ranges::sort(result.keys, [](const auto& a, const auto& b) {
        return std::tie(a.created_at, a.id) > std::tie(b.created_at, b.id);
      });
      return result;
    },
    [self](const revoke_key& request) -> caf::result<done> {
      return revoke(self, request.key_id);
    },
    [self](const join_edge& request) {
      self->state.edges.push_back(request.edge);
    },
  };
}

} // namespace greenroom
