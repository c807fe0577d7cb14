// What a request says that one node passes on to another, and what the other
// says where it is not the one to serve it.
//
// Such a request is marked with the node that it comes from and with the epoch
// by which that node took the other for the owner. Who is not the owner at that
// epoch refuses it before anything is done: with 503 and the header
// moved_header. The node that it comes from looks up the owner anew then, once;
// the client hears of it only where that does not help. What is marked is not
// passed on again.
//
// A request of the API has its mark at the end of its request id, and in a
// header whose it is: both nodes log and echo the client's own id. A connection
// of git's or of a preview in a header of its first
// request. What follows on such a connection is not marked, and the node that
// has it passes it on as if it were the client's. A mark counts on a connection
// that another node has made, by mutual TLS; a client's is a part of its id, or
// a header like any other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http {

/// Where a session is, as the store says.
struct whereabouts {
  std::string elsewhere;   // the node that owns it; empty: this one, or nobody
  std::uint64_t epoch = 0; // of its project; grows with each owner
};

struct passage {
  std::string node;        // that passes it on
  std::uint64_t epoch = 0; // that it knows; 0: it does not say
  friend bool operator==(const passage&, const passage&) = default;
};

/// `NODE@EPOCH`, or `NODE`.
std::string passage_text(const passage& by);
passage read_passage(std::string_view text);

/// The id for a request that goes on to another node: one that may be echoed,
/// as the id that it is made of.
std::string id_by_way_of(std::string_view request_id, const passage& by);

/// The id that was marked.
std::string without_passage(std::string_view request_id);

/// Whose a request is that goes on.
struct passed_client {
  std::string address;
  std::string request_id; // whole: a mark may leave less of it; may be empty
  friend bool operator==(const passed_client&, const passed_client&) = default;
};

/// The value of client_header.
std::string client_text(const passed_client& client);
passed_client read_passed_client(std::string_view text);

inline constexpr std::string_view client_header = "X-Greenroom-Client";

/// nullopt: there is no mark.
std::optional<passage> passage_of_id(std::string_view request_id);

/// Whether a request that was passed on is to be refused by a node that finds
/// the session there.
bool is_misled(const passage& by, const whereabouts& now) noexcept;

/// What is said then.
std::string moved_sentence(const whereabouts& now);

/// In the answer then: this says who it is meant for.
inline constexpr std::string_view moved_header = "X-Greenroom-Moved";
inline constexpr std::string_view moved_value = "look up the owner again";

} // namespace greenroom::http
