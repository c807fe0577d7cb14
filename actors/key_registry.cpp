#include "actors/key_registry.hpp"

#include "actors/base/error_boundary.hpp"
#include "messages/errors.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

namespace greenroom {

namespace {

using key_registry_pointer =
  shared_registry_actor::stateful_pointer<key_registry_state>;
using reader_actor =
  caf::typed_actor<caf::replies_to<list_keys>::with<key_list>>;

reader_actor::behavior_type
keys_reader(reader_actor::pointer,
            std::function<std::vector<key_record>()> read) {
  return {[read = std::move(read)](list_keys) {
    return guarded("reading the keys", [&] { return key_list{read()}; });
  }};
}

// What HTTP threads read from now on.
void publish(key_registry_state& state) {
  auto valid = state.keys;
  std::erase_if(valid, [&](const key_record& key) {
    return state.revoked.contains(key.id);
  });
  state.ring->replace(std::move(valid));
}

// Nobody is let in with it any more, and who was in is out.
void kill(key_registry_pointer self, const std::string& id) {
  self->state.revoked.insert(id);
  publish(self->state);
  for (auto& edge : self->state.edges)
    self->send(edge, key_revoked{id});
}

// A key is dead before its row is: a store that takes no change, as on a full
// disk, must not keep it alive. Its row is removed as soon as that can be done,
// whether anybody asks again or not.
caf::result<done> revoke(key_registry_pointer self, const revoke_key& request) {
  auto& id = request.key_id;
  auto& state = self->state;
  if (std::ranges::find(state.keys, id, &key_record::id) == state.keys.end())
    return make_error(errc::not_found, "key not found");
  kill(self, id);
  spdlog::info("key {} is revoked by {}", id, to_words(request.by));
  auto promise = self->make_response_promise<done>();
  self->request(state.store, store_timeout, drop_key{id})
    .then(
      [self, promise, id](done) mutable {
        std::erase_if(self->state.keys,
                      [&](const key_record& key) { return key.id == id; });
        self->state.revoked.erase(id);
        ++self->state.changes;
        promise.deliver(done{});
      },
      [self, promise, id](const caf::error& e) mutable {
        caf::delayed_anon_send(key_registry_actor{self}, revoke_retry,
                               revoke_key{id, {}});
        promise.deliver(make_error(
          to_refusal(e).code,
          "the key is dead from now on, but the store does not take that at "
          "the moment: a restart before it does would bring the key back"));
      });
  return promise;
}

// What was revoked elsewhere is known by its absence.
void take_over(key_registry_pointer self, std::vector<key_record> stored) {
  auto& state = self->state;
  auto is_stored = [&](const std::string& id) {
    return std::ranges::find(stored, id, &key_record::id) != stored.end();
  };
  std::vector<std::string> gone;
  for (auto& key : state.keys)
    if (!is_stored(key.id) && !state.revoked.contains(key.id))
      gone.push_back(key.id);
  state.keys = std::move(stored);
  std::erase_if(state.revoked,
                [&](const std::string& id) { return !is_stored(id); });
  publish(state);
  for (auto& id : gone)
    for (auto& edge : state.edges)
      self->send(edge, key_revoked{id});
}

void read_all(key_registry_pointer self,
              caf::typed_response_promise<done> promise) {
  auto& state = self->state;
  self->request(state.reader, store_timeout, list_keys{})
    .then(
      [self, promise, as_of = state.changes](key_list& all) mutable {
        if (as_of != self->state.changes) {
          read_all(self, promise);
          return;
        }
        take_over(self, std::move(all.keys));
        promise.deliver(done{});
      },
      [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
}

caf::result<done> share(key_registry_pointer self, const share_keys& news) {
  if (!news.revoked.empty())
    kill(self, news.revoked);
  if (!self->state.reader)
    return done{};
  auto promise = self->make_response_promise<done>();
  read_all(self, promise);
  return promise;
}

caf::result<key_created> create(key_registry_pointer self,
                                const create_key& request) {
  auto& known = self->state.keys;
  if (auto first = std::ranges::find(known, request.key_id, &key_record::id);
      !request.key_id.empty() && first != known.end())
    return key_created{*first, {}}; // its secret is kept nowhere
  made_key made;
  try {
    made = make_key(request.name, request.scopes, request.projects,
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
      [self, promise, made, by = request.by](done) mutable {
        spdlog::info("key {} is made by {}", made.record.id, to_words(by));
        auto& all = self->state.keys;
        std::erase_if(
          all, [&](const key_record& key) { return key.id == made.record.id; });
        all.push_back(made.record);
        ++self->state.changes;
        publish(self->state);
        promise.deliver(key_created{made.record, made.secret});
      },
      [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
  return promise;
}

key_list newest_first(const key_registry_state& state) {
  key_list result{state.keys};
  std::ranges::sort(result.keys, [](const auto& a, const auto& b) {
    return std::tie(a.created_at, a.id) > std::tie(b.created_at, b.id);
  });
  return result;
}

} // namespace

key_registry_state::~key_registry_state() {
  if (reader)
    caf::anon_send_exit(reader, caf::exit_reason::user_shutdown);
}

shared_registry_actor::behavior_type
key_registry(key_registry_pointer self, store_writer_actor store,
             key_ring* ring, std::vector<key_record> keys,
             std::function<std::vector<key_record>()> read) {
  auto& state = self->state;
  if (read)
    state.reader = self->spawn<caf::detached>(keys_reader, std::move(read));
  state.store = std::move(store);
  state.ring = ring;
  state.keys = std::move(keys);
  return {
    [self](create_key& request) { return create(self, request); },
    [self](list_keys) { return newest_first(self->state); },
    [self](const revoke_key& request) -> caf::result<done> {
      return revoke(self, request);
    },
    [self](const join_edge& request) {
      self->state.edges.push_back(request.edge);
    },
    [self](const share_keys& news) { return share(self, news); },
  };
}

} // namespace greenroom
