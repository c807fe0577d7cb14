#include "tests/http/proxy/proxy_node.hpp"

#include <arpa/inet.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <netinet/in.h>
#include <sys/socket.h>

#include <stdexcept>

namespace greenroom::test {

namespace wire = http::wire;
namespace proxy = http::proxy;

/// One session, which listens on the app's port.
class proxy_node::sessions final : public proxy::session_ports {
public:
  explicit sessions(proxy_node& of) : of_(of) {}

  asio::awaitable<proxy::session_info> look_up(std::string id,
                                               std::uint64_t) override {
    if (id != preview_sid)
      throw refused{errc::not_found, "session not found"};
    proxy::session_info result;
    result.project_id = "demo";
    if (of_.over) {
      result.over = "expired";
      result.reason = "its time <was> over";
      result.ended_at = "2031-02-03T04:05:06Z";
    }
    std::lock_guard lock{of_.guard_};
    result.rules = of_.rules_;
    co_return result;
  }

  const proxy::session_info* known(const std::string&, std::uint64_t) override {
    if (!of_.known_live)
      return nullptr;
    std::lock_guard lock{of_.guard_};
    known_.project_id = "demo";
    known_.rules = of_.rules_;
    return &known_;
  }

  asio::awaitable<proxy::project_rules> rules_of_projects() override {
    ++of_.asked_projects;
    proxy::project_rules result;
    std::lock_guard lock{of_.guard_};
    result["demo"] = of_.rules_;
    co_return result;
  }

  asio::awaitable<unique_fd> connect(std::string, std::uint16_t port) override {
    if (!of_.listening)
      throw refused{errc::unavailable, "nothing listens on that port"};
    ++of_.connections;
    asio::steady_timer timer{of_.io_};
    while (of_.held) {
      timer.expires_after(std::chrono::milliseconds{5});
      co_await timer.async_wait(asio::use_awaitable);
    }
    unique_fd result{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(port);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(result.get(), reinterpret_cast<sockaddr*>(&there),
                  sizeof there)
        != 0)
      throw refused{errc::unavailable, "nothing listens on that port"};
    co_return result;
  }

  asio::awaitable<proxy::printed_last> last_output(std::string,
                                                   std::uint16_t) override {
    co_return proxy::printed_last{"web", "running", "building <it>"};
  }

private:
  proxy_node& of_;
  proxy::session_info known_;
};

proxy_node::proxy_node(app_script app,
                       std::function<void(http::options&)> change)
  : sessions_(std::make_unique<sessions>(*this)),
    acceptor_(io_, "preview.listen", spdlog::default_logger()),
    app_acceptor_(io_, "app", spdlog::default_logger()), app_(std::move(app)) {
  std::filesystem::create_directories(dir.path() / "sessions" / preview_sid);
  port_ = acceptor_.listen("127.0.0.1", 0);
  app_port_ = app_acceptor_.listen("127.0.0.1", 0);
  options_.preview_host = "127.0.0.1";
  options_.preview_port = port_;
  if (change)
    change(options_);
  around_.reset(new proxy::proxy_context{
    options_, io_, *sessions_, proxy::access_rules{keys, settings}, nullptr});
  access_ = std::make_unique<proxy::access_watch>(io_, *sessions_, clients_);
  acceptor_.start([this](unique_fd s) { take_client(std::move(s)); });
  app_acceptor_.start([this](unique_fd s) { take_for_app(std::move(s)); });
  asio::co_spawn(io_, tick(), asio::detached);
  thread_ = std::thread{[this] { io_.run(); }};
}

proxy_node::~proxy_node() {
  held = false;
  asio::post(io_, [this] { stop(); });
  thread_.join();
}

/// All that is under way ends by itself then, and the loop with it.
void proxy_node::stop() {
  around_->stopping = true;
  around_->pool.clear();
  acceptor_.close();
  app_acceptor_.close();
  for (auto& client : clients_)
    client->stop();
  for (auto& connection : app_side_)
    connection->close();
}

void proxy_node::take_client(unique_fd socket) {
  auto client = std::make_shared<proxy::preview_client>(
    around_, std::move(socket), "t", false);
  clients_.insert(client);
  ++clients;
  asio::co_spawn(io_, proxy::preview_client::run(client),
                 [this, client](const std::exception_ptr&) {
                   clients_.erase(client);
                   --clients;
                 });
}

void proxy_node::take_for_app(unique_fd socket) {
  auto connection = std::make_shared<wire::server_connection>(
    wire::plain_stream(io_, std::move(socket)), std::string_view{});
  app_side_.insert(connection);
  asio::co_spawn(io_, run_app(connection),
                 [this, connection](const std::exception_ptr&) {
                   connection->close();
                   app_side_.erase(connection);
                 });
}

asio::awaitable<void>
proxy_node::run_app(std::shared_ptr<wire::server_connection> of) {
  using namespace std::chrono_literals;
  for (;;) {
    auto more = co_await of->read_head(20s, 20s);
    if (!more)
      break;
    {
      auto& head = of->head();
      auto text = head.method + ' ' + head.target + "\r\n";
      wire::append_headers(text, head.headers);
      std::lock_guard lock{guard_};
      seen_.push_back(std::move(text));
    }
    co_await app_(*of);
    if (!of->reusable())
      break;
  }
}

asio::awaitable<void> proxy_node::tick() {
  asio::steady_timer timer{io_};
  while (!around_->stopping) {
    timer.expires_after(std::chrono::milliseconds{20});
    error_code ignored;
    co_await timer.async_wait(
      asio::redirect_error(asio::use_awaitable, ignored));
    for (auto& client : clients_)
      client->check_deadlines(proxy::preview_client::clock::now());
    access_->check(now_ms());
  }
}

std::string proxy_node::host(std::uint16_t of) const {
  return std::to_string(of == 0 ? app_port_ : of) + '-' + preview_sid
         + ".preview.localhost:" + std::to_string(port_);
}

std::string proxy_node::get(const std::string& path,
                            const std::string& headers) const {
  return "GET " + path + " HTTP/1.1\r\nHost: " + host()
         + "\r\nX-API-Key: " + preview_secret + "\r\n" + headers + "\r\n";
}

void proxy_node::set_rules(preview_rules rules) {
  std::lock_guard lock{guard_};
  rules_ = rules;
}

std::string proxy_node::add_link(const std::string& id, unix_ms lasts,
                                 const std::string& key_id) {
  auto token = make_secret();
  settings.add_link(
    preview_sid, {id, app_port_, sha256_hex(token), key_id, now_ms() + lasts},
    now_ms());
  return token;
}

std::vector<std::string> proxy_node::seen() {
  std::lock_guard lock{guard_};
  return seen_;
}

} // namespace greenroom::test
