// Does what is known to hurt, one attack at a time, in sessions of the project
// `demo` that it makes and ends. What its requests are answered with is checked
// here; whether others are harmed, and what is left, by who has it attack.
//
// The attacks are in files by what they attack. V1, V2 and so on are those of
// the trial that found them. One owner, one thread.
#pragma once

#include "runtime/base/fd.hpp"
#include "tests/api/demo.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace greenroom::test {

class hostile_tenant {
public:
  hostile_tenant(const node_process& node, std::uint64_t seed);

  /// One of them.
  void attack();
  /// Each of them once.
  void attack_in_every_way();
  /// The connections that one key may have, and as many as others leave it.
  void take_descriptors(); // V1
  /// Deeper than the node may have files open.
  void deep_tree(); // V2
  /// Of what it still holds.
  void let_go() {
    silent_.clear();
  }
  /// All sessions that it has had.
  const std::set<std::string>& ids() const noexcept {
    return ids_;
  }

private:
  using attack_function = void (hostile_tenant::*)();
  static const std::vector<attack_function> attacks;

  // -- connections ------------------------------------------------------------
  void half_requests();  // V6, V7
  void unread_answers(); // V5
  void streams();        // V1
  void garbage();
  void bad_clones();
  void foreign_names(); // V15
  void tiny_chunks();   // V5
  void odd_requests();  // V16
  void half_closed();   // V16

  // -- processes --------------------------------------------------------------
  void much_output();
  void many_commands();
  void memory_hog();
  void kernel_objects(); // V3
  void hasty_endings();  // V10
  void stopped_runner(); // V10

  // -- files ------------------------------------------------------------------
  void closed_files();  // V14
  void file_of_holes(); // V14
  void large_files();   // V14
  void full_disk();     // V4
  void many_files();    // V4
  void broken_git();
  void large_blobs(); // V8

  // -- projects ---------------------------------------------------------------
  void incarnations(); // V9

  std::size_t below(std::size_t limit) {
    return random_() % limit;
  }
  std::string new_branch() {
    return "h" + std::to_string(++count_);
  }
  std::string key_line() const {
    return "X-API-Key: " + client_.key() + "\r\n";
  }

  /// Status 0 where there is no answer.
  http_reply send(const std::string& method, const std::string& path,
                  const json& body = {}) const;
  /// What is refused is of no interest, as long as there is an answer.
  http_reply ask(const std::string& method, const std::string& path,
                 const json& body = {}) const;
  /// The path of a new session; empty, and the test has failed, where there is
  /// none.
  std::string begin(json body = json::object());
  void remember(const json& session);
  /// For some seconds, whatever it comes to.
  void run(const std::string& session, const std::string& command) const;
  /// What an attack begins with: it must succeed. The Exec.
  json run_whole(const http_client& client, const std::string& session,
                 const std::string& command) const;
  void end(const std::string& session) const;
  /// The node must not have had much more memory in use until this was
  /// answered. It runs in another thread.
  void expect_flat_memory(const std::string& what,
                          const std::function<void()>& request) const;

  /// Holds connections on which something of this was sent, and no more.
  std::vector<unique_fd> hold(std::size_t most,
                              const std::vector<std::string>& texts);
  /// To a request that is made again where it is answered with 503 or 504.
  /// Empty where there is none in time.
  std::string answer_to(const std::function<std::string()>& request,
                        bool then_closes) const;
  void expect_answer(const std::string& status, const std::string& request,
                     bool then_closes) const;
  void session_by_half_closed();
  http_reply check_in(const std::string& session) const;
  void large_output(const std::string& session, std::uint64_t bytes) const;
  void large_checkout(const std::string& branch);
  std::string past_session(const std::string& project);
  void look_at_past(const http_client& tenant, const std::string& project,
                    const std::string& past);
  /// How many bytes came, with the head.
  std::uint64_t download(const std::string& path) const;

  const node_process& node_;
  std::mt19937_64 random_;
  http_client client_;
  std::uint64_t count_ = 0;
  std::set<std::string> ids_;
  std::vector<unique_fd> silent_; // beside the attacks that follow
  std::string clone_url_;         // of the session that was begun last
};

/// Asks again while the node is busy with something, maybe what this tenant
/// itself has done: or there would be no attack.
template <class Ask>
http_reply insist(Ask ask) {
  http_reply reply;
  eventually(
    [&] {
      reply = ask();
      return reply.status != 503 && reply.status != 504;
    },
    2 * timeout);
  return reply;
}

/// Where an attack does not care whether it is turned away while it sends.
void send_quietly(const unique_fd& socket, const std::string& text);

/// False at the end, and where nothing comes in time.
bool receive_quietly(const unique_fd& socket, std::string& answer,
                     std::size_t at_most = 4096);

} // namespace greenroom::test
