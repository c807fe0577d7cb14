#include "tests/soak/hostile/hostile_tenant.hpp"

#include "tests/soak/hostile/tenant_key.hpp"
#include "tests/soak/size.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/sockets.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <future>

namespace greenroom::test {

const std::vector<hostile_tenant::attack_function> hostile_tenant::attacks{
  &hostile_tenant::half_requests,  &hostile_tenant::unread_answers,
  &hostile_tenant::streams,        &hostile_tenant::garbage,
  &hostile_tenant::deep_tree,      &hostile_tenant::closed_files,
  &hostile_tenant::much_output,    &hostile_tenant::many_commands,
  &hostile_tenant::memory_hog,     &hostile_tenant::broken_git,
  &hostile_tenant::bad_clones,     &hostile_tenant::foreign_names,
  &hostile_tenant::kernel_objects, &hostile_tenant::full_disk,
  &hostile_tenant::many_files,     &hostile_tenant::tiny_chunks,
  &hostile_tenant::large_blobs,    &hostile_tenant::hasty_endings,
  &hostile_tenant::stopped_runner, &hostile_tenant::odd_requests,
  &hostile_tenant::half_closed,    &hostile_tenant::incarnations,
  &hostile_tenant::file_of_holes,  &hostile_tenant::large_files,
};

hostile_tenant::hostile_tenant(const node_process& node, std::uint64_t seed)
  : node_(node), random_(seed),
    client_(node.with_key(key_for(node, "demo")["key"])) {}

void hostile_tenant::attack() {
  (this->*attacks[below(attacks.size())])();
}

void hostile_tenant::attack_in_every_way() {
  for (auto& one : attacks)
    (this->*one)();
  let_go();
}

http_reply hostile_tenant::send(const std::string& method,
                                const std::string& path,
                                const json& body) const {
  try {
    return client_.send(method, path, body.is_null() ? "" : body.dump());
  } catch (const std::exception&) {
    return {};
  }
}

http_reply hostile_tenant::ask(const std::string& method,
                               const std::string& path,
                               const json& body) const {
  auto reply = send(method, path, body);
  INFO(method << ' ' << path << ": " << to_string(reply));
  CHECK(reply.status != 0);
  CHECK(reply.status != 500);
  return reply;
}

void hostile_tenant::remember(const json& session) {
  ids_.insert(session["id"].get<std::string>());
}

std::string hostile_tenant::begin(json body) {
  auto made = insist([&] {
    body["new_branch"] = new_branch();
    return ask("POST", sessions, body);
  });
  INFO("a session: " << to_string(made));
  CHECK(made.status == 201);
  if (made.status != 201)
    return {};
  const auto session = made.data();
  remember(session);
  clone_url_ = session["auth_clone_url"].get<std::string>();
  return sessions + '/' + session["id"].get<std::string>();
}

void hostile_tenant::run(const std::string& session,
                         const std::string& command) const {
  auto reply = ask("POST", session + "/exec",
                   {{"command", command},
                    {"wait", how_many("5s", "20s")},
                    {"timeout", how_many("5s", "20s")}});
  if (reply.status == 200 && reply.data()["exit_code"] == 127)
    WARN("not tested, for a program is not there: " << command);
}

json hostile_tenant::run_whole(const http_client& client,
                               const std::string& session,
                               const std::string& command) const {
  const auto reply = insist([&] {
    return client.post(session + "/exec",
                       {{"command", command}, {"wait", "60s"}});
  });
  auto exec = reply.data();
  INFO(command << ": " << to_string(reply) << ' ' << exec.dump());
  CHECK(reply.status == 200);
  CHECK(exec["exit_code"] == 0);
  return exec;
}

void hostile_tenant::end(const std::string& session) const {
  if (session.empty())
    return;
  auto reply = ask("POST", session + "/discard", json::object());
  INFO(session << ": " << to_string(reply));
  CHECK((reply.status == 200 || reply.status == 504));
}

void hostile_tenant::expect_flat_memory(
  const std::string& what, const std::function<void()>& request) const {
  const auto before = resident_kib(node_.pid());
  auto most = before;
  auto asked = std::async(std::launch::async, request);
  while (asked.wait_for(std::chrono::milliseconds{5})
         != std::future_status::ready)
    most = std::max(most, resident_kib(node_.pid()));
  asked.get();
  INFO(what << ": " << before << " KiB before, " << most << " KiB meanwhile");
#ifndef __SANITIZE_ADDRESS__
  constexpr std::uint64_t room = 96 * 1024; // less than it is large
  CHECK(most < before + room);
#endif
}

std::vector<unique_fd>
hostile_tenant::hold(std::size_t most, const std::vector<std::string>& texts) {
  std::vector<unique_fd> held;
  for (std::size_t i = below(most); i > 0; --i) {
    held.push_back(connect_to(node_.port()));
    send_quietly(held.back(), texts[i % texts.size()]);
  }
  return held;
}

std::string
hostile_tenant::answer_to(const std::function<std::string()>& request,
                          bool then_closes) const {
  std::string answer;
  eventually([&] {
    auto socket = connect_to(node_.port());
    send_quietly(socket, request());
    answer.clear();
    if (!then_closes)
      receive_quietly(socket, answer);
    else if (::shutdown(socket.get(), SHUT_WR) == 0)
      while (receive_quietly(socket, answer))
        continue;
    return !answer.starts_with("HTTP/1.1 503")
           && !answer.starts_with("HTTP/1.1 504");
  });
  return answer;
}

void hostile_tenant::expect_answer(const std::string& status,
                                   const std::string& request,
                                   bool then_closes) const {
  auto answer = answer_to([&] { return request; }, then_closes);
  INFO(request.substr(0, 200) << ": " << answer.substr(0, 100));
  CHECK(answer.starts_with("HTTP/1.1 " + status));
}

std::uint64_t hostile_tenant::download(const std::string& path) const {
  auto socket = connect_to(node_.port());
  send_quietly(socket, "GET " + path
                         + " HTTP/1.1\r\nHost: localhost\r\nConnection: "
                           "close\r\n"
                         + key_line() + "\r\n");
  std::uint64_t bytes = 0;
  std::string part;
  while (receive_quietly(socket, part, 64 * 1024)) {
    bytes += part.size();
    part.clear();
  }
  return bytes;
}

void send_quietly(const unique_fd& socket, const std::string& text) {
  try {
    send_all(socket, text);
  } catch (const std::exception&) {
    // It was turned away while it sent.
  }
}

bool receive_quietly(const unique_fd& socket, std::string& answer,
                     std::size_t at_most) {
  try {
    return receive(socket, answer, at_most);
  } catch (const std::exception&) {
    // Nothing came: that is for the others to be judged by.
    return false;
  }
}

} // namespace greenroom::test
