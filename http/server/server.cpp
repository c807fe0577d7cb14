#include "http/server/server.hpp"

#include "http/api/routes.hpp"
#include "http/base/address_shares.hpp"
#include "http/console/files.hpp"
#include "http/edge/node_monitor.hpp"
#include "http/edge/peers.hpp"
#include "http/edge/request_rate.hpp"
#include "http/git/listener.hpp"
#include "http/proxy/listener.hpp"
#include "http/proxy/preview_settings.hpp"
#include "http/server/listening.hpp"
#include "http/server/thread.hpp"
#include "http/streams/file_readers.hpp"
#include "http/streams/response_registry.hpp"

#include <boost/system/system_error.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>

namespace greenroom::http {

namespace {

/// Threads that read logs: as many reads as a disk is given at a time.
constexpr unsigned reading_threads = 4;

// An address for all of the machine's is none to connect to.
std::string reachable(const std::string& host) {
  return host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host;
}

std::string where(const std::string& host, std::uint16_t port) {
  return (host.find(':') == std::string::npos ? host : '[' + host + ']') + ':'
         + std::to_string(port);
}

} // namespace

server::server(options opts, server_parts parts)
  : options_(std::move(opts)), parts_(std::move(parts)) {
  if (!parts_.log)
    parts_.log = spdlog::default_logger();
  console_ = std::make_unique<console_files>(options_.console_dir);
  if (!parts_.previews.read)
    parts_.previews = proxy::preview_files(options_.data_dir);
  preview_settings_ =
    std::make_unique<proxy::preview_settings>(parts_.previews);
  if (!parts_.counters)
    parts_.counters = std::make_shared<node_counters>();
  rates_.reset(new create_rates{request_rate{options_.creates_of_key},
                                request_rate{options_.creates_of_project}});
  monitor_ = std::make_unique<node_monitor>();
  monitor_->node = parts_.node;
  monitor_->operations = parts_.operations;
  monitor_->counters = parts_.counters;
  monitor_->figures = parts_.figures;
  monitor_->usage = parts_.usage;
  monitor_->webhooks = parts_.webhooks;
}

server::~server() {
  stop(std::chrono::milliseconds{0});
}

void server::start() {
  auto address = address_of("http.listen", options_.host);
  if (options_.port != 0)
    check_free(address, options_.host, options_.port);
  const auto clustered = parts_.others != nullptr;
  const auto budget = affordable(options_.max_connections, clustered);
  if (budget.api < options_.max_connections)
    parts_.log->warn("only {} of http.max_connections = {} are served: raise "
                     "the limit of open files to {} for all",
                     budget.api, options_.max_connections,
                     descriptors_for(options_.max_connections, clustered));
  auto made = make_threads(address, budget);
  if (options_.public_url.empty())
    options_.public_url = "http://" + where(reachable(options_.host), port_);
  start_git(budget.git);
  start_previews(budget.previews);
  threads_ = std::move(made);
  for (auto& one : threads_) {
    if (git_)
      one->set_git_handoff([git = git_.get()](handed_connection what) {
        git->adopt(std::move(what));
      });
    one->start();
  }
}

// They listen, and accept nothing yet.
std::vector<std::unique_ptr<http_thread>>
server::make_threads(const std::string& address,
                     const descriptor_budget& budget) {
  const auto connections = budget.api;
  port_ = options_.port;
  // What a key's clients hold open leaves half for everybody else.
  auto of_key = options_.max_streams_of_key;
  if (of_key == 0)
    of_key = std::max<std::size_t>(connections / 2, 1);
  shares_ = std::make_unique<stream_shares>(stream_shares::limits{
    of_key, options_.max_streams_of_project, budget.pairs});
  // Many keys may be used at one address, all of them behind a proxy; some
  // room is left for others all the same.
  auto of_address = options_.max_connections_of_address;
  if (of_address == 0)
    of_address = connections - connections / 16;
  auto addresses = std::make_shared<address_shares>(of_address);
  auto other_nodes = std::make_shared<address_shares>(budget.arriving);
  files_ = std::make_unique<file_readers>(reading_threads);
  const auto count = std::max(options_.threads, 1u);
  // One more route stands for what is none.
  for (unsigned i = 0; i < count; ++i)
    monitor_->threads.push_back(
      std::make_unique<request_counts>(routes().size() + 1));
  std::vector<std::unique_ptr<http_thread>> made;
  try {
    for (unsigned i = 0; i < count; ++i) {
      made.push_back(std::make_unique<http_thread>(
        options_, parts_,
        shared_parts{*files_, *shares_, *preview_settings_, *console_,
                     addresses, other_nodes, *monitor_, *rates_,
                     *monitor_->threads[i]},
        address, std::max<std::size_t>(connections / count, 1)));
      port_ = made.back()->listen(port_);
    }
  } catch (const boost::system::system_error& e) {
    throw listen_error("http.listen", options_.host, options_.port, e.code());
  }
  return made;
}

void server::start_git(std::size_t connections) {
  if (!parts_.sandbox)
    return;
  git_ = std::make_unique<git_http::listener>(
    options_, git_http::listener_parts{
                parts_.system, parts_.directory, parts_.sandbox, parts_.log,
                parts_.git, &parts_.keys, parts_.workers, parts_.others,
                connections, parts_.operations, parts_.node});
  if (!options_.git_host.empty())
    try {
      options_.git_port = git_->listen(
        address_of("git.listen", options_.git_host), options_.git_port);
    } catch (const boost::system::system_error& e) {
      throw listen_error("git.listen", options_.git_host, options_.git_port,
                         e.code());
    }
  git_->start();
}

void server::start_previews(std::size_t connections) {
  if (options_.preview_host.empty())
    return;
  previews_ = std::make_unique<proxy::listener>(
    options_,
    proxy::listener_parts{parts_.system, parts_.keys, parts_.directory,
                          *preview_settings_, parts_.log,
                          [files = files_.get()](std::function<void()> job) {
                            files->run(std::move(job));
                          },
                          parts_.others, parts_.counters, connections});
  try {
    options_.preview_port =
      previews_->listen(address_of("preview.listen", options_.preview_host),
                        options_.preview_port);
  } catch (const boost::system::system_error& e) {
    throw listen_error("preview.listen", options_.preview_host,
                       options_.preview_port, e.code());
  }
  if (parts_.previews_listen)
    parts_.previews_listen(options_.preview_port);
  previews_->start();
}

void server::stop(std::chrono::milliseconds grace) {
  for (auto& one : threads_)
    one->stop(grace);
  if (git_)
    git_->stop(grace);
  if (previews_)
    previews_->stop();
  for (auto& one : threads_)
    one->join();
  if (previews_)
    previews_->join();
  files_.reset();
  // They hand connections over until they have ended.
  if (git_)
    git_->join();
  threads_.clear();
  git_.reset();
  previews_.reset();
}

} // namespace greenroom::http
