#include "tests/support/upstream_servers.hpp"

#include "runtime/base/memfd.hpp"
#include "runtime/base/run_command.hpp"

#include <catch2/catch.hpp>
#include <httplib.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace greenroom::test {

namespace {

std::string content(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

} // namespace

// -- HTTP ---------------------------------------------------------------------

http_upstream::http_upstream(fs::path root, std::string user,
                             std::string password)
  : root_(std::move(root)), user_(std::move(user)),
    password_(std::move(password)),
    server_(std::make_unique<httplib::Server>()) {
  auto handler = [this](const httplib::Request& request,
                        httplib::Response& response) {
    serve(request, response);
  };
  server_->Get(".*", handler);
  server_->Post(".*", handler);
  port_ = server_->bind_to_any_port("127.0.0.1");
  REQUIRE(port_ > 0);
  thread_ = std::thread{[this] { server_->listen_after_bind(); }};
  while (!server_->is_running())
    std::this_thread::yield();
}

http_upstream::~http_upstream() {
  server_->stop();
  thread_.join();
}

void http_upstream::serve(const httplib::Request& request,
                          httplib::Response& response) {
  ++requests_;
  {
    std::lock_guard guard{mutex_};
    if (!elsewhere_.empty()) {
      response.set_redirect(elsewhere_ + request.target);
      return;
    }
  }
  auto given = request.get_header_value("Authorization");
  pending_ = pending_ || !given.empty();
  if (given
      != httplib::make_basic_authentication_header(user_, password_).second) {
    response.status = 401;
    response.set_header("WWW-Authenticate", "Basic realm=\"git\"");
    return;
  }
  look_for_secret();
  auto query = request.target.find('?');
  auto body = git::memfd(request.body);
  command what;
  what.argv = {"git", "http-backend"};
  what.stdin_fd = body.get();
  what.max_output = 64 << 20;
  what.env = {
    "PATH=/usr/local/bin:/usr/bin:/bin",
    "GIT_CONFIG_NOSYSTEM=1",
    "GIT_CONFIG_GLOBAL=/dev/null",
    "GIT_HTTP_EXPORT_ALL=1",
    "GIT_PROJECT_ROOT=" + root_.string(),
    "REMOTE_USER=" + user_,
    "REQUEST_METHOD=" + request.method,
    "PATH_INFO=" + request.path,
    "QUERY_STRING="
      + (query == std::string::npos ? "" : request.target.substr(query + 1)),
    "CONTENT_TYPE=" + request.get_header_value("Content-Type"),
    "CONTENT_LENGTH=" + std::to_string(request.body.size())};
  auto result = run_command(what);
  auto end = result.out.find("\r\n\r\n");
  if (!result.ok() || end == std::string::npos) {
    response.status = 500;
    std::fprintf(stderr, "BACKEND %s | %s | %zu %d\n", result.err.c_str(),
                 request.target.c_str(), result.out.size(),
                 result.exit_code.value_or(-1));
    return;
  }
  auto head = result.out.substr(0, end);
  auto type = head.find("Content-Type: ");
  auto status = head.find("Status: ");
  if (status != std::string::npos)
    response.status = std::stoi(head.substr(status + 8));
  response.set_content(
    result.out.substr(end + 4),
    type == std::string::npos
      ? "text/plain"
      : head.substr(type + 14, head.find("\r\n", type) - type - 14));
}

void http_upstream::look_for_secret() {
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator{"/proc", gone})
    for (const auto* part : {"cmdline", "environ"})
      if (auto text = content(entry.path() / part); !text.empty()) {
        // git itself is there, or this would prove nothing.
        looked_ = looked_ || text.find("GREENROOM_GIT_SECRET=") != text.npos;
        shown_ = shown_ || text.find(password_) != text.npos;
      }
}

// -- sockets ------------------------------------------------------------------

listener::listener()
  : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(socket_.get(), raw, size) == 0);
  REQUIRE(::listen(socket_.get(), 64) == 0);
  REQUIRE(::getsockname(socket_.get(), raw, &size) == 0);
  port_ = ntohs(address.sin_port);
}

listener::~listener() = default;

void listener::open() {
  thread_ = std::thread{[this] {
    for (;;) {
      unique_fd connection{
        ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      if (!connection)
        return;
      take(std::move(connection));
    }
  }};
}

void listener::close() {
  ::shutdown(socket_.get(), SHUT_RDWR);
  thread_.join();
}

// -- ssh ----------------------------------------------------------------------

ssh_upstream::ssh_upstream(fs::path directory)
  : directory_(std::move(directory)) {
  fs::create_directories(directory_);
  fs::permissions(directory_, fs::perms::owner_all);
  auto made = run_command(
    {{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key().string()}});
  REQUIRE(made.ok());
  change_host_key();
  auto quoted = [&](const char* name) {
    return '"' + (directory_ / name).string() + '"';
  };
  std::ofstream{directory_ / "config"}
    << "HostKey " << quoted("host key") << "\nAuthorizedKeysFile "
    << quoted("client key.pub")
    << "\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\n"
       "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
       "PidFile none\n";
  if (::geteuid() == 0)
    fs::create_directories("/run/sshd");
  open();
}

void ssh_upstream::change_host_key() {
  fs::remove(directory_ / "host key");
  auto made = run_command({{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                            (directory_ / "host key").string()}});
  REQUIRE(made.ok());
}

std::string ssh_upstream::url() const {
  return std::string{"ssh://"} + ::getpwuid(::geteuid())->pw_name
         + "@127.0.0.1:" + std::to_string(port());
}

void ssh_upstream::take(unique_fd connection) {
  threads_.emplace_back([this, held = std::move(connection)] {
    command what;
    what.argv = {"/usr/sbin/sshd", "-i", "-e", "-f",
                 (directory_ / "config").string()};
    what.env = {"PATH=/usr/local/bin:/usr/bin:/bin"};
    what.stdin_fd = held.get();
    what.stdout_fd = held.get();
    run_command(what);
  });
}

} // namespace greenroom::test
