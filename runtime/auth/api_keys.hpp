// Who a secret belongs to.
//
// Every request looks its key up in an immutable table, without a message; a
// change of keys makes a new table and puts it in the ring. Only hashes of
// secrets are kept.
#pragma once

#include "messages/records.hpp"
#include "runtime/auth/sha256.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace greenroom {

class logins;
class stream_tickets;

class key_table {
public:
  /// Throws std::runtime_error for a record whose hash is none.
  explicit key_table(std::vector<key_record> keys);

  /// The key that `secret` opens at `now`: nullptr where there is none or its
  /// time is over. Lives as long as the table.
  const key_record* find(std::string_view secret, unix_ms now) const;

  /// The same for a key's id.
  const key_record* find_id(const std::string& id, unix_ms now) const;

  /// Whether all keys of `now` that may use project `one` may use `other` too.
  bool all_reach(std::string_view one, std::string_view other,
                 unix_ms now) const;

private:
  struct digest_hash {
    std::size_t operator()(const sha256_digest& digest) const noexcept;
  };

  std::unordered_map<sha256_digest, key_record, digest_hash> keys_;
  std::unordered_map<std::string, const key_record*> by_id_;
};

/// The table of the moment. The administrator's key, which is in no store, is
/// always part of it. One owner, read and replaced from any thread.
class key_ring {
public:
  explicit key_ring(std::string_view admin_secret);
  ~key_ring();

  /// Makes and reads logins; from any thread. Good for as long as the ring.
  const greenroom::logins& logins() const noexcept;

  /// Makes and spends tickets for streams; as logins().
  stream_tickets& tickets() const noexcept;

  /// Hold it for one request: what is revoked later stays in it.
  std::shared_ptr<const key_table> snapshot() const {
    std::lock_guard guard{mutex_};
    return table_;
  }

  /// All keys but the administrator's. When it returns, a snapshot taken
  /// anywhere has the new ones.
  void replace(std::vector<key_record> keys);

  /// Gives the administrator another key; the one before, and all logins and
  /// tickets, open nothing when it returns. False: it is the same, and nothing
  /// has changed.
  bool replace_admin(std::string_view secret);

private:
  struct signers;

  void publish();

  std::mutex change_; // held by who changes what follows
  key_record admin_;
  std::vector<key_record> keys_; // all but the administrator's
  // Those of former secrets stay, since somebody may be at them; there are as
  // many as somebody has changed the secret of a running node.
  std::vector<std::unique_ptr<signers>> all_signers_;
  std::atomic<signers*> signers_{nullptr}; // the last of them
  // Held for the copy of a pointer. GCC 12's std::atomic<std::shared_ptr> spins
  // on a bit of its own for the same, and unlocks it in a way that is a race.
  mutable std::mutex mutex_;
  std::shared_ptr<const key_table> table_;
};

/// The id of the administrator's key.
inline constexpr std::string_view admin_key_id = "admin";

struct made_key {
  key_record record;
  std::string secret; // `gr_` and 64 hex digits; kept nowhere
};

/// Makes a key. `expires_at` 0: never. Refused as bad_request: a name that is
/// not 1-100 characters without control characters, no scope or an unknown
/// one, a project that is no id, an expiry in the past, an author that is not
/// `Name <mail>` (empty: none).
made_key make_key(std::string name, std::vector<std::string> scopes,
                  std::vector<std::string> projects, unix_ms expires_at,
                  std::string author = {});

/// The author of what is committed with a key, as git names one: the key's own,
/// else its name with a mail that is nobody's. Empty: nobody asked.
std::string author_text(const caller& by);

/// A secret as make_key gives it: `gr_` and 256 random bits in hex.
std::string make_secret();

} // namespace greenroom
