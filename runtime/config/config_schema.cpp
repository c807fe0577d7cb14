#include "runtime/config/config_schema.hpp"

#include "runtime/config/project_schema.hpp"
#include "runtime/config/value_types.hpp"

#include <map>

namespace greenroom {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

using table = std::vector<key<config>>;

template <class Kind, class Access>
void add(table& to, const char* path, Kind kind, Access access,
         const char* purpose) {
  to.push_back(describe<config>(path, std::move(kind), access, purpose));
}

// null reads as the host's name.
struct node_name : kinds::text {
  std::string expects() const {
    return what + ", or null for the host's name";
  }
  std::optional<std::string> read(const json& value) const {
    return value.is_null() ? host_name() : text::read(value);
  }
};

kinds::text path() {
  return {"a path", kinds::is_plain};
}

void add_node(table& to) {
  add(
    to, "node.name",
    node_name{{"up to 63 letters, digits, dots, hyphens and underscores",
               kinds::is_node_name}},
    [](auto& c) -> auto& { return c.node.name; },
    "This node's name, which sessions show as pod_name; null is the host's "
    "name.");
  add(
    to, "node.data_dir", path(),
    [](auto& c) -> auto& { return c.node.data_dir; },
    "Where everything lies that this node keeps.");
}

void add_http(table& to) {
  add(
    to, "http.listen", kinds::listen_address{},
    [](auto& c) -> auto& { return c.http.listen; }, "Where the API listens.");
  add(
    to, "http.public_url",
    kinds::text_or_null{{"http:// or https:// with a host and perhaps a port, "
                         "without a path",
                         kinds::is_base_url}},
    [](auto& c) -> auto& { return c.http.public_url; },
    "How clients reach the API, as links say; null: as it listens.");
  add(
    to, "http.threads", kinds::whole{1, 64},
    [](auto& c) -> auto& { return c.http.threads; },
    "Threads that serve connections.");
  add(
    to, "http.tls", kinds::or_null<kinds::tls>{},
    [](auto& c) -> auto& { return c.http.tls; },
    "Certificate and key for HTTPS. This version refuses to start with them: "
    "leave it null and put a TLS proxy in front, as README.md shows.");
  add(
    to, "http.max_body", kinds::size{1},
    [](auto& c) -> auto& { return c.http.max_body; },
    "The largest request body.");
  add(
    to, "http.max_connections", kinds::whole{1, 1'000'000},
    [](auto& c) -> auto& { return c.http.max_connections; },
    "How many connections may be open at once.");
  add(
    to, "http.hosts",
    kinds::text_list{"host names without ports, *.NAME for all below one, * "
                     "for any",
                     kinds::is_host_pattern},
    [](auto& c) -> auto& { return c.http.hosts; },
    "More names by which clients may ask; those of this machine and of the "
    "public URLs count anyhow.");
}

void add_limits(table& to) {
  add(
    to, "limits.open_streams", kinds::whole_or_null{1, 1'000'000},
    [](auto& c) -> auto& { return c.limits.open_streams; },
    "How many streams and waits one API key may have open; null is half of "
    "the connections.");
  add(
    to, "limits.connections_per_address", kinds::whole_or_null{1, 1'000'000},
    [](auto& c) -> auto& { return c.limits.connections_per_address; },
    "How many connections one address may have open; null is all but a "
    "sixteenth of them. Behind a proxy all clients are one address.");
  add(
    to, "limits.key_sessions", kinds::whole{0, 1'000'000},
    [](auto& c) -> auto& { return c.limits.key_sessions; },
    "How many sessions that live one API key may have made; 0 is no limit, as "
    "below.");
  add(
    to, "limits.key_creates", kinds::whole{0, 1'000'000},
    [](auto& c) -> auto& { return c.limits.key_creates; },
    "How many sessions one API key may create in a minute.");
  add(
    to, "limits.project_creates", kinds::whole{0, 1'000'000},
    [](auto& c) -> auto& { return c.limits.project_creates; },
    "How many sessions may be created in one project in a minute.");
  add(
    to, "limits.key_execs", kinds::whole{0, 1'000'000},
    [](auto& c) -> auto& { return c.limits.key_execs; },
    "How many commands may run or wait in the sessions that one API key has "
    "made.");
  add(
    to, "limits.project_execs", kinds::whole{0, 1'000'000},
    [](auto& c) -> auto& { return c.limits.project_execs; },
    "How many commands may run or wait in the sessions of one project.");
  add(
    to, "limits.project_streams", kinds::whole{0, 1'000'000},
    [](auto& c) -> auto& { return c.limits.project_streams; },
    "How many streams and waits may be open in one project.");
}

void add_preview_and_storage(table& to) {
  add(
    to, "preview.listen", kinds::or_null<kinds::listen_address>{},
    [](auto& c) -> auto& { return c.preview.listen; },
    "Where previews are served, on an origin of their own; null: nowhere.");
  add(
    to, "preview.domain",
    kinds::text_or_null{{"a domain name", kinds::is_domain}},
    [](auto& c) -> auto& { return c.preview.domain; },
    "Each preview is a subdomain of it: PORT-SESSION.DOMAIN; null, where there "
    "is no wildcard name: each is a path, /preview/SESSION/PORT/.");
  add(
    to, "preview.public_url",
    kinds::text_or_null{{"http:// or https:// with a host and perhaps a port, "
                         "without a path",
                         kinds::is_base_url}},
    [](auto& c) -> auto& { return c.preview.public_url; },
    "Scheme and port that browsers reach previews by, of paths the host, too; "
    "null: as it listens.");
  add(
    to, "storage.url",
    kinds::private_text{{"sqlite3://PATH or postgresql://USER@HOST/DATABASE",
                         kinds::is_store_url}},
    [](auto& c) -> auto& { return c.storage.url; },
    "The store; a relative SQLite path is below node.data_dir.");
  add(
    to, "storage.sync",
    kinds::one_of<sync_mode>{
      {{"full", sync_mode::full}, {"normal", sync_mode::normal}}},
    [](auto& c) -> auto& { return c.storage.sync; },
    "full survives a power cut; normal is quicker and survives a crash of "
    "the program; of SQLite, a server has its own settings.");
}

void add_auth_and_sessions(table& to) {
  add(
    to, "auth.admin_key_file", kinds::text_or_null{path()},
    [](auto& c) -> auto& { return c.auth.admin_key_file; },
    "Holds the administrator's key; GREENROOM_ADMIN_KEY goes before it, and "
    "without either a key is made at the first start.");
  add(
    to, "sessions.default_expiry", kinds::duration{1000, max_expiry},
    [](auto& c) -> auto& { return c.sessions.default_expiry; },
    "How long a session lives when its creator does not say.");
  add(
    to, "sessions.max_expiry", kinds::duration{1000, max_expiry},
    [](auto& c) -> auto& { return c.sessions.max_expiry; },
    "How long a session may live at most.");
  add(
    to, "sessions.keep_ended", kinds::duration{1000},
    [](auto& c) -> auto& { return c.sessions.keep_ended; },
    "How long the events and output of an ended session are kept.");
  add(
    to, "sessions.keep_output", kinds::size{1},
    [](auto& c) -> auto& { return c.sessions.keep_output; },
    "How much output of ended sessions a node keeps for each project; beyond "
    "it that of the session that ended first goes. Where events alone are more "
    "the session itself goes.");
  add(
    to, "sessions.checkpoint_every", kinds::duration{1000, one_day},
    [](auto& c) -> auto& { return c.sessions.checkpoint_every; },
    "How often a node of a cluster saves a session's work in the upstream "
    "while "
    "commands run in it; it does so soon after they have ended, too.");
  add(
    to, "sessions.warm_checkouts", kinds::whole{0, 1000},
    [](auto& c) -> auto& { return c.sessions.warm_checkouts; },
    "For how many projects, those with many files that were used last, the "
    "node keeps a checkout ready for the next session; 0: none.");
}

void add_exec(table& to) {
  add(
    to, "exec.shell", kinds::text_list{"texts", kinds::is_script, 1},
    [](auto& c) -> auto& { return c.exec.shell; },
    "What stands before an exec's command text.");
  add(
    to, "exec.max_concurrent", kinds::whole{1, 256},
    [](auto& c) -> auto& { return c.exec.max_concurrent; },
    "How many execs of one session run at once.");
  add(
    to, "exec.max_queued", kinds::whole{0, 10'000},
    [](auto& c) -> auto& { return c.exec.max_queued; },
    "How many more wait; beyond that they are refused.");
  add(
    to, "exec.max_output", kinds::size{1},
    [](auto& c) -> auto& { return c.exec.max_output; },
    "How much output of one exec is kept.");
  add(
    to, "exec.max_session_output", kinds::size{1},
    [](auto& c) -> auto& { return c.exec.max_session_output; },
    "How much all execs of a session may leave on disk, output, commands and "
    "events; then only the first 64 KiB of each one's output is kept, and a "
    "sixteenth beyond it execs are refused.");
  add(
    to, "exec.kill_grace", kinds::duration{1, 600'000},
    [](auto& c) -> auto& { return c.exec.kill_grace; },
    "How long a canceled command has between TERM and KILL.");
}

void add_sandbox(table& to) {
  add(
    to, "sandbox.mode",
    kinds::one_of<sandbox_mode>{
      {{"bubblewrap", sandbox_mode::bubblewrap}, {"none", sandbox_mode::none}}},
    [](auto& c) -> auto& { return c.sandbox.mode; },
    "bubblewrap isolates sessions; none runs them as the server's own user, "
    "for development and trusted code only.");
  add(
    to, "sandbox.network",
    kinds::one_of<network_mode>{{{"nat", network_mode::nat},
                                 {"none", network_mode::none},
                                 {"host", network_mode::host}}},
    [](auto& c) -> auto& { return c.sandbox.network; },
    "nat: the world, not the host's loopback; none; host: the host's own.");
  add(
    to, "sandbox.memory", kinds::size{1 << 20},
    [](auto& c) -> auto& { return c.sandbox.memory; },
    "How much memory a session may use.");
  add(
    to, "sandbox.pids", kinds::whole{8, 1'000'000},
    [](auto& c) -> auto& { return c.sandbox.pids; },
    "How many processes a session may have.");
  add(
    to, "sandbox.processors", kinds::whole_or_null{{1, 4096}},
    [](auto& c) -> auto& { return c.sandbox.processors; },
    "How many processors a session may use, and its programs see; null: all.");
  add(
    to, "sandbox.tmp", kinds::size{1 << 20},
    [](auto& c) -> auto& { return c.sandbox.tmp; },
    "How much a session's /tmp may hold; beyond it its commands are ended.");
  add(
    to, "sandbox.disk", kinds::size{1 << 20},
    [](auto& c) -> auto& { return c.sandbox.disk; },
    "The same of checkout, home and /tmp together.");
  add(
    to, "sandbox.files", kinds::whole{1000, 1'000'000'000},
    [](auto& c) -> auto& { return c.sandbox.files; },
    "How many files these may be.");
  add(
    to, "sandbox.read_only",
    kinds::text_list{"absolute paths", kinds::is_absolute_path},
    [](auto& c) -> auto& { return c.sandbox.read_only; },
    "What sessions see of the host, beside its settings in /etc.");
  add(
    to, "sandbox.idle", kinds::duration_or_null{{1000}},
    [](auto& c) -> auto& { return c.sandbox.idle; },
    "How long nothing runs in a session until its processes are given back; "
    "null: never.");
}

void add_git(table& to) {
  add(
    to, "git.listen", kinds::or_null<kinds::listen_address>{},
    [](auto& c) -> auto& { return c.git.listen; },
    "Where git is served; null is beside the API.");
  add(
    to, "git.public_url",
    kinds::text_or_null{{"http:// or https:// with a host and perhaps a port, "
                         "without a path",
                         kinds::is_base_url}},
    [](auto& c) -> auto& { return c.git.public_url; },
    "How clients reach git; null: as it listens, or as the API.");
  add(
    to, "git.max_push", kinds::size{1},
    [](auto& c) -> auto& { return c.git.max_push; },
    "The largest push, and the largest file of Git LFS.");
  add(
    to, "git.lfs_cache", kinds::size{1},
    [](auto& c) -> auto& { return c.git.lfs_cache; },
    "What the node keeps of upstreams' Git LFS, for all projects together; "
    "what was used least recently goes.");
  add(
    to, "git.proxy",
    kinds::text_or_null{{"a URL of http://, https://, socks5:// or "
                         "socks5h:// with a host and perhaps a port, without "
                         "credentials",
                         kinds::is_proxy_url}},
    [](auto& c) -> auto& { return c.git.proxy; },
    "The proxy by which upstreams of HTTP are reached, except hosts of the "
    "environment's no_proxy; null: the environment's.");
  add(
    to, "git.credentials", kinds::credential_list{},
    [](auto& c) -> auto& { return c.git.credentials; },
    "How upstreams let us in, by the beginning of their URL: a password from "
    "a variable or a file, or a key for ssh.");
}

void add_cluster(table& to) {
  add(
    to, "cluster.listen", kinds::or_null<kinds::listen_address>{},
    [](auto& c) -> auto& { return c.cluster.listen; },
    "Where other nodes connect; null: this node is alone.");
  add(
    to, "cluster.advertise",
    kinds::text_or_null{
      {"host:port, as other nodes reach this one", kinds::is_address}},
    [](auto& c) -> auto& { return c.cluster.advertise; },
    "How other nodes reach this one; null: as it listens.");
  add(
    to, "cluster.tls", kinds::or_null<kinds::tls>{{true}},
    [](auto& c) -> auto& { return c.cluster.tls; },
    "Certificate, key and the authority that signs all nodes'.");
  add(
    to, "cluster.heartbeat", kinds::duration{100, 60'000},
    [](auto& c) -> auto& { return c.cluster.heartbeat; },
    "How often nodes show that they live.");
  add(
    to, "cluster.timeout", kinds::duration{1000, 600'000},
    [](auto& c) -> auto& { return c.cluster.timeout; },
    "After how much silence a node counts as dead; its lease in the store is "
    "as long.");
  add(
    to, "cluster.labels", kinds::labels{},
    [](auto& c) -> auto& { return c.cluster.labels; },
    "What this node is good for, as names with texts.");
}

void add_audit(table& to) {
  add(
    to, "audit.keep", kinds::duration{one_day},
    [](auto& c) -> auto& { return c.audit.keep; },
    "How long the audit keeps what was changed and refused.");
  add(
    to, "audit.max_entries", kinds::whole{1000, 100'000'000},
    [](auto& c) -> auto& { return c.audit.max_entries; },
    "How many entries it keeps at most; the oldest go first.");
}

void add_webhooks(table& to) {
  add(
    to, "webhooks.allow_networks",
    kinds::text_list{"networks such as 10.0.0.0/8 or fd00::/8, or addresses",
                     kinds::is_network},
    [](auto& c) -> auto& { return c.webhooks.allow_networks; },
    "Where webhooks may lead beside public addresses: private, loopback, "
    "link-local and other special ones are refused.");
  add(
    to, "webhooks.allow_networks_of_sessions",
    kinds::text_list{"networks such as 10.0.0.0/8 or fd00::/8, or addresses",
                     kinds::is_network},
    [](auto& c) -> auto& { return c.webhooks.allow_networks_of_sessions; },
    "The same for the webhooks that sessions are made with, which whoever may "
    "make sessions names; allow_networks does not count for them.");
  add(
    to, "webhooks.ca_file", kinds::text_or_null{path()},
    [](auto& c) -> auto& { return c.webhooks.ca_file; },
    "The authorities that receivers' certificates are held to, a PEM file; "
    "null: the system's.");
  add(
    to, "webhooks.timeout", kinds::duration{100, 25'000},
    [](auto& c) -> auto& { return c.webhooks.timeout; },
    "How long one attempt to deliver may take, the name's look-up included.");
  add(
    to, "webhooks.give_up_after", kinds::duration{1000, 7 * one_day},
    [](auto& c) -> auto& { return c.webhooks.give_up_after; },
    "How long a delivery is tried; a receiver that took none meanwhile is "
    "disabled then.");
  add(
    to, "webhooks.keep", kinds::duration{60'000},
    [](auto& c) -> auto& { return c.webhooks.keep; },
    "How long deliveries that are over are listed, and can be sent again.");
  add(
    to, "webhooks.max_deliveries", kinds::whole{10, 1'000'000},
    [](auto& c) -> auto& { return c.webhooks.max_deliveries; },
    "How many of them are kept of one webhook; the oldest go first.");
}

void add_log(table& to) {
  add(
    to, "log.level",
    kinds::one_of<log_level>{{{"debug", log_level::debug},
                              {"info", log_level::info},
                              {"warn", log_level::warn},
                              {"error", log_level::error}}},
    [](auto& c) -> auto& { return c.log.level; }, "The least that is logged.");
  add(
    to, "log.format",
    kinds::one_of<log_format>{
      {{"text", log_format::text}, {"json", log_format::json}}},
    [](auto& c) -> auto& { return c.log.format; },
    "text for people, json for machines.");
}

void read_projects(const json& list, config& c, const std::string& where) {
  if (!list.is_array())
    throw_bad_value(where, list, false, "a list of projects");
  std::vector<project_record> projects;
  std::map<std::string, std::string> places;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto place = where + '[' + std::to_string(i) + ']';
    if (!list[i].is_object())
      throw_bad_value(place, list[i], true, "an object");
    auto project = read_project(list[i], place + '.');
    auto [first, fresh] = places.emplace(project.id, place);
    if (!fresh)
      throw key_error(place + ".id is \"" + project.id + "\", which "
                      + first->second + " has already");
    projects.push_back(std::move(project));
  }
  c.projects = std::move(projects);
}

ordered_json write_projects(const config& c) {
  auto result = ordered_json::array();
  for (const auto& project : c.projects)
    result.push_back(write_keys(project_keys(), project));
  return result;
}

} // namespace

const std::vector<key<config>>& config_keys() {
  static const auto keys = [] {
    table result;
    add_node(result);
    add_http(result);
    add_limits(result);
    add_preview_and_storage(result);
    add_auth_and_sessions(result);
    add_exec(result);
    add_sandbox(result);
    add_git(result);
    add_cluster(result);
    add_audit(result);
    add_webhooks(result);
    add_log(result);
    result.push_back({"projects", "a list of projects",
                      "Projects that exist from the start; more are made "
                      "through the API.",
                      read_projects, write_projects});
    return result;
  }();
  return keys;
}

} // namespace greenroom
