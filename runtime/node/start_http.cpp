// The last step of a start: clients are served.

#include "http/edge/peers.hpp"
#include "runtime/base/files.hpp"
#include "runtime/node/open_store.hpp"
#include "runtime/node/parts.hpp"
#include "runtime/store/previews.hpp"

#include <spdlog/spdlog.h>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

/// The web console's files: beside the program, or where packages put them.
fs::path console_dir() {
  auto bin = fs::read_symlink("/proc/self/exe").parent_path();
  auto beside = bin / "console";
  return fs::exists(beside) ? beside : bin / "../share/greenroom/console";
}

} // namespace

http::proxy::preview_store node::parts::shared_previews() const {
  http::proxy::preview_store result;
  if (!cluster)
    return result;
  std::shared_ptr<store::connection> db = open_store(settings, data_dir);
  result.shared = true;
  // An older program has written files.
  result.read = [db, before = http::proxy::preview_files(data_dir)](
                  const std::string& session_id) {
    auto stored = store::previews_of(*db, session_id);
    return stored ? stored : before.read(session_id);
  };
  result.write = [db, node = settings.node.name](const std::string& session_id,
                                                 const std::string& text) {
    store::keep_previews(*db, session_id, text, node);
  };
  return result;
}

void node::parts::start_http() {
  auto options = http::options_from(settings);
  options.console_dir = console_dir();
  server = std::make_unique<http::server>(
    options, http::server_parts{
               *system,
               *keys,
               cluster ? cluster->directory() : directory_actor{directory},
               cluster ? cluster->registry() : key_registry_actor{registry},
               context->store,
               [this] { return reasons_not_ready(); },
               [this] { return warnings(); },
               spdlog::default_logger(),
               host,
               [this](std::uint16_t port) { preview_port = port; },
               git,
               context->git,
               cluster ? cluster->peers() : nullptr,
               cluster ? node_lister_actor{context->cluster}
                       : node_lister_actor{context->reader},
               settings.node.name,
               operations,
               context->counters,
               [this](metrics_page& page) { add_figures(page); },
               [this](const std::string& id) { return usage_of(id); },
               webhooks,
               shared_previews()});
  try {
    server->start();
  } catch (const std::runtime_error& e) {
    throw start_error(e.what());
  }
  if (cluster)
    cluster->serve(server->port(), server->preview_port());
}

} // namespace greenroom
