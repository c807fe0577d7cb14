// What an operator can set, as plain values.
//
// One struct a section of the configuration file; the defaults are here and
// nowhere else. Lengths of time are milliseconds, sizes bytes. Made once at
// start by load_config and never changed after that. The table in
// config_schema.cpp says what each key is for and what it may hold.
#pragma once

#include "messages/records.hpp"
#include "runtime/base/durations.hpp"
#include "runtime/config/sync_mode.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace greenroom {

enum class sandbox_mode : std::uint8_t { bubblewrap, none };
enum class network_mode : std::uint8_t { nat, none, host };
enum class log_level : std::uint8_t { debug, info, warn, error };
enum class log_format : std::uint8_t { text, json };

/// Where to listen. Port 0 lets the kernel choose one.
struct endpoint {
  std::string host; // an address or a name, IPv6 without its brackets
  std::uint16_t port = 0;
  friend bool operator==(const endpoint&, const endpoint&) = default;
};

/// "127.0.0.1:8080", "[::1]:8080".
std::string to_string(const endpoint& where);

/// PEM files.
struct tls_files {
  std::string cert;
  std::string key;
  std::string ca; // who signs the peers' certificates; empty: not checked
  friend bool operator==(const tls_files&, const tls_files&) = default;
};

/// This machine's name, in the form that node.name has to have.
std::string host_name();

struct node_config {
  std::string name = host_name();
  std::string data_dir = "/var/lib/greenroom";
  friend bool operator==(const node_config&, const node_config&) = default;
};

struct http_config {
  endpoint listen{"127.0.0.1", 8080};
  std::string public_url; // empty: as it listens
  std::uint32_t threads = 2;
  std::optional<tls_files> tls;
  std::uint64_t max_body = 16 << 20;
  std::uint32_t max_connections = 16384;
  std::vector<std::string> hosts;
  friend bool operator==(const http_config&, const http_config&) = default;
};

/// What one client, key or project may have of what all share; 0: no limit, and
/// of the first two a part that leaves the rest to others.
struct limits_config {
  std::uint32_t open_streams = 0;
  std::uint32_t connections_per_address = 0;
  std::uint32_t key_sessions = 0;
  std::uint32_t key_creates = 0; // a minute
  std::uint32_t project_creates = 0;
  std::uint32_t key_execs = 0; // that run or wait
  std::uint32_t project_execs = 0;
  std::uint32_t project_streams = 0; // and waits
  friend bool operator==(const limits_config&, const limits_config&) = default;
};

struct preview_config {
  std::optional<endpoint> listen = endpoint{"127.0.0.1", 8081}; // null: none
  std::string domain = "preview.localhost";
  std::string public_url; // empty: http, as it listens
  friend bool operator==(const preview_config&,
                         const preview_config&) = default;
};

struct storage_config {
  std::string url = "sqlite3://greenroom.db";
  sync_mode sync = sync_mode::full;
  friend bool operator==(const storage_config&,
                         const storage_config&) = default;
};

struct auth_config {
  std::string admin_key_file; // empty: none
  friend bool operator==(const auth_config&, const auth_config&) = default;
};

struct sessions_config {
  millis default_expiry = one_day;
  millis max_expiry = 30 * one_day;
  millis keep_ended = 30 * one_day;
  std::uint64_t keep_output = std::uint64_t{32} << 30; // of each project
  millis checkpoint_every = 5 * 60 * 1000;
  std::uint32_t warm_checkouts = 4; // projects; 0: none
  friend bool operator==(const sessions_config&,
                         const sessions_config&) = default;
};

struct exec_config {
  std::vector<std::string> shell{"/bin/bash", "-c"};
  std::uint32_t max_concurrent = 8;
  std::uint32_t max_queued = 64;
  std::uint64_t max_output = std::uint64_t{1} << 30;
  std::uint64_t max_session_output = std::uint64_t{20} << 30;
  millis kill_grace = 5000;
  friend bool operator==(const exec_config&, const exec_config&) = default;
};

struct sandbox_config {
  sandbox_mode mode = sandbox_mode::bubblewrap;
  network_mode network = network_mode::nat;
  std::uint64_t memory = std::uint64_t{2} << 30;
  std::uint32_t pids = 512;
  std::uint32_t processors = 0; // 0: all of the node's
  std::uint64_t tmp = std::uint64_t{8} << 30;
  std::uint64_t disk = std::uint64_t{32} << 30;
  std::uint32_t files = 4'000'000;
  std::vector<std::string> read_only{"/usr"};
  millis idle = 10 * 60 * 1000; // 0: never
  friend bool operator==(const sandbox_config&,
                         const sandbox_config&) = default;
};

/// How to be let in by upstreams whose URL begins with a prefix: a user name
/// with one of the passwords, or a key for ssh.
struct git_credential {
  std::string url_prefix;
  std::string username;
  std::string password_env;  // the variable that has it
  std::string password_file; // its first line
  std::string ssh_key_file;
  friend bool operator==(const git_credential&,
                         const git_credential&) = default;
};

struct git_config {
  std::optional<endpoint> listen; // nullopt: beside the API
  std::string public_url;         // empty: as it listens
  std::uint64_t max_push = std::uint64_t{256} << 20;
  std::uint64_t lfs_cache = std::uint64_t{20} << 30;
  std::string proxy; // to upstreams; empty: as the environment says
  std::vector<git_credential> credentials;
  friend bool operator==(const git_config&, const git_config&) = default;
};

struct cluster_config {
  std::optional<endpoint> listen; // nullopt: this node is alone
  std::string advertise;          // HOST:PORT for other nodes; empty: `listen`
  std::optional<tls_files> tls;
  string_map labels; // what placement may ask for
  millis heartbeat = 2000;
  millis timeout = 10000;
  friend bool operator==(const cluster_config&,
                         const cluster_config&) = default;
};

struct audit_config {
  millis keep = 90 * one_day;
  std::uint32_t max_entries = 1'000'000;
  friend bool operator==(const audit_config&, const audit_config&) = default;
};

/// Which events leave by HTTP, to whom, and for how long that is tried.
struct webhooks_config {
  std::vector<std::string> allow_networks;             // beside the public ones
  std::vector<std::string> allow_networks_of_sessions; // for their own
  std::string ca_file;     // empty: the system's authorities
  millis timeout = 15'000; // of one attempt
  millis give_up_after = one_day;
  millis keep = 7 * one_day;
  std::uint32_t max_deliveries = 1000; // that are over, of one webhook
  friend bool operator==(const webhooks_config&,
                         const webhooks_config&) = default;
};

struct log_config {
  log_level level = log_level::info;
  log_format format = log_format::text;
  friend bool operator==(const log_config&, const log_config&) = default;
};

struct config {
  node_config node;
  http_config http;
  limits_config limits;
  preview_config preview;
  storage_config storage;
  auth_config auth;
  sessions_config sessions;
  exec_config exec;
  sandbox_config sandbox;
  git_config git;
  cluster_config cluster;
  audit_config audit;
  webhooks_config webhooks;
  log_config log;
  std::vector<project_record> projects;
  friend bool operator==(const config&, const config&) = default;
};

/// One sentence that names the file (or `--set`), the key, the bad value and
/// what would do.
class config_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Reads a file of JSON with comments, then applies the overrides in order,
/// each `key.path=value`. A value that is no JSON is taken as text, as is one
/// whose JSON the key does not take. Paths in the result are as they were
/// written. Throws config_error.
config load_config(const std::optional<std::filesystem::path>& file,
                   std::span<const std::string> overrides);

/// The form of the configuration file, every key in it.
nlohmann::ordered_json to_json(const config& c);

/// What `config check` prints: a line for each key with its value and what it
/// is for.
std::string explain(const config& c);

} // namespace greenroom
