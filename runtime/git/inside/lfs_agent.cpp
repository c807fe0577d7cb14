#include "runtime/git/inside/lfs_agent.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/git/inside/connect.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

using nlohmann::json;

struct wanted {
  std::string oid;
  std::uint64_t size = 0;
  std::string path; // of an upload
};

[[noreturn]] void give_up(const std::string& why) {
  throw std::runtime_error(why);
}

void send_all(int to, const char* bytes, std::size_t size) {
  while (size > 0) {
    auto done = ::write(to, bytes, size);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      give_up("the connection to origin is lost");
    bytes += done;
    size -= static_cast<std::size_t>(done);
  }
}

std::string read_exactly(int from, std::size_t size) {
  std::string result(size, '\0');
  for (std::size_t done = 0; done < size;) {
    auto got = ::read(from, result.data() + done, size - done);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      give_up("origin has ended the connection");
    done += static_cast<std::size_t>(got);
  }
  return result;
}

// Of git's own form: four hex digits with the length, these included.
void send_packet(int to, const std::string& text) {
  std::array<char, 5> size{};
  std::snprintf(size.data(), size.size(), "%04zx", text.size() + 4);
  auto packet = size.data() + text;
  send_all(to, packet.data(), packet.size());
}

// Throws what the server says instead of it.
void await_go(int from) {
  auto size = std::strtoul(read_exactly(from, 4).c_str(), nullptr, 16);
  auto text = size > 4 ? read_exactly(from, size - 4) : std::string{};
  constexpr std::string_view error = "ERR ";
  if (text.starts_with(error))
    give_up(text.substr(error.size()));
}

void carry(int from, int to, std::uint64_t left) {
  std::array<char, 65536> buffer;
  while (left > 0) {
    auto got =
      ::read(from, buffer.data(), std::min<std::uint64_t>(buffer.size(), left));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      give_up("the contents end too early");
    send_all(to, buffer.data(), static_cast<std::size_t>(got));
    left -= static_cast<std::uint64_t>(got);
  }
}

unique_fd ask(const fs::path& directory, const char* verb, const wanted& what) {
  auto socket = dial_origin(directory);
  if (!socket)
    give_up("origin cannot be reached");
  using namespace std::string_literals;
  send_packet(socket.get(), std::string{verb} + ' ' + what.oid + ' '
                              + std::to_string(what.size)
                              + "\0host=greenroom\0"s);
  await_go(socket.get());
  return socket;
}

// git-lfs moves the file from there, so it has to be on the same file system.
fs::path temporary_directory() {
  command what{{"git", "rev-parse", "--git-common-dir"}, {}, {}};
  for (const auto* name : {"PATH", "HOME", "GIT_DIR"})
    if (const auto* value = std::getenv(name))
      what.env.push_back(std::string{name} + '=' + value);
  auto told = run_command(what);
  if (!told.ok())
    give_up("there is no repository here");
  auto top = fs::path{told.out.substr(0, told.out.find('\n'))} / "lfs/tmp";
  fs::create_directories(top);
  return fs::absolute(top);
}

std::string download(const fs::path& directory, const wanted& what) {
  auto socket = ask(directory, "lfs-download", what);
  auto name = (temporary_directory() / "greenroom-XXXXXX").string();
  unique_fd file{::mkostemp(name.data(), O_CLOEXEC)};
  if (!file)
    give_up("no file can be made in " + name);
  try {
    carry(socket.get(), file.get(), what.size);
  } catch (const std::exception&) {
    ::unlink(name.c_str());
    throw;
  }
  return name;
}

void upload(const fs::path& directory, const wanted& what) {
  unique_fd file{::open(what.path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file)
    give_up(what.path + " cannot be read");
  auto socket = ask(directory, "lfs-upload", what);
  carry(file.get(), socket.get(), what.size);
  ::shutdown(socket.get(), SHUT_WR);
  await_go(socket.get());
}

json transfer(const fs::path& directory, const json& event) {
  wanted what{event.at("oid").get<std::string>(),
              event.at("size").get<std::uint64_t>(), event.value("path", "")};
  json answer{{"event", "complete"}, {"oid", what.oid}};
  try {
    if (event.at("event") == "upload")
      upload(directory, what);
    else
      answer["path"] = download(directory, what);
  } catch (const std::exception& fault) {
    answer["error"] = {{"code", 1}, {"message", fault.what()}};
  }
  return answer;
}

} // namespace

int serve_lfs(const fs::path& directory) {
  std::signal(SIGPIPE, SIG_IGN);
  for (std::string line; std::getline(std::cin, line);) {
    auto event = json::parse(line, nullptr, false);
    auto kind = event.is_object() ? event.value("event", "") : "";
    if (kind == "init")
      std::cout << "{}\n";
    else if (kind == "upload" || kind == "download")
      std::cout << transfer(directory, event)
                     .dump(-1, ' ', false, json::error_handler_t::replace)
                << '\n';
    else
      break;
    std::cout.flush();
  }
  return EXIT_SUCCESS;
}

} // namespace greenroom::git
