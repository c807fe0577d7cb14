#include "runtime/store/postgresql.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <soci/postgresql/soci-postgresql.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace greenroom::store::postgresql {

namespace {

using options = std::map<std::string, std::string>;

[[noreturn]] void throw_bad_url() {
  // What libpq says of it may quote the password.
  throw std::runtime_error(
    "storage.url must be postgresql://USER@HOST:PORT/DATABASE; in a password "
    "write what is neither letter nor digit as %XX, or leave it out and name a "
    "file with ?passfile=");
}

options parse(const std::string& url) {
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> list{
    PQconninfoParse(url.c_str(), nullptr), &PQconninfoFree};
  if (!list)
    throw_bad_url();
  options result;
  for (auto* one = list.get(); one->keyword != nullptr; ++one)
    if (one->val != nullptr)
      result[one->keyword] = one->val;
  // A password with a slash in it would end up here, and in messages.
  for (char c : result["port"])
    if (c != ',' && std::isdigit(static_cast<unsigned char>(c)) == 0)
      throw_bad_url();
  return result;
}

// A value as libpq reads it, within the quotation marks that SOCI takes off.
std::string in_quotes(const std::string& value) {
  std::string result = "\"'";
  for (char c : value) {
    if (c == '"')
      throw std::runtime_error("storage.url must not hold a quotation mark, "
                               "nor %22; name a file with ?passfile=");
    if (c == '\'' || c == '\\')
      result += '\\';
    result += c;
  }
  return result + "'\"";
}

// A peer that has fallen silent counts as gone after some ten seconds, unless
// the URL says otherwise. Of several hosts the one that takes writes is meant,
// and one host that takes none is refused by name: a connection to a standby
// would fail at each write, and be kept.
std::string connection_text(options values) {
  for (auto [name, value] : {std::pair{"connect_timeout", "3"},
                             {"tcp_user_timeout", "10000"},
                             {"keepalives_idle", "5"},
                             {"keepalives_interval", "2"},
                             {"keepalives_count", "3"},
                             {"target_session_attrs", "read-write"},
                             {"application_name", "greenroom"},
                             {"client_encoding", "UTF8"}})
    values.try_emplace(name, value);
  std::string result;
  for (auto& [name, value] : values)
    if (!value.empty())
      result.append(result.empty() ? "" : " ")
        .append(name + '=' + in_quotes(value));
  return result;
}

PGconn* handle(connection::state& state) {
  auto* backend =
    static_cast<soci::postgresql_session_backend*>(state.sql.get_backend());
  return backend == nullptr ? nullptr : backend->conn_;
}

std::string sql_state(const soci::soci_error& error) {
  auto* known = dynamic_cast<const soci::postgresql_soci_error*>(&error);
  return known == nullptr ? std::string{} : known->sqlstate();
}

} // namespace

std::string place_of(const std::string& url) {
  auto values = parse(url);
  auto host = values["host"].empty() ? values["hostaddr"] : values["host"];
  auto port = values["port"].empty() ? "" : ':' + values["port"];
  return "PostgreSQL database \"" + values["dbname"] + "\" at "
         + (host.empty() ? "the local socket" : host) + port;
}

void prepare(connection::state& state, const std::string& url, millis timeout) {
  const auto text = connection_text(parse(url));
  const auto limits = "SET lock_timeout = " + std::to_string(timeout)
                      + "; SET statement_timeout = 30000;"
                        " SET idle_in_transaction_session_timeout = 60000";
  state.begin = "BEGIN";
  state.for_update = " FOR UPDATE";
  // Of the day that the statement runs, not the transaction began.
  state.now = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
  state.migration_lock = "SET LOCAL statement_timeout = 0;"
                         " SELECT pg_advisory_xact_lock(7454127123)";
  state.may_pass = may_pass;
  state.is_collision = is_collision;
  state.open = [&state, text, limits] {
    state.sql.close();
    state.sql.open(soci::postgresql, text);
    PQsetNoticeProcessor(
      handle(state), [](void*, const char*) {}, nullptr);
    state.sql << limits;
  };
}

bool is_lost(connection::state& state) {
  auto* conn = handle(state);
  if (conn == nullptr || PQstatus(conn) != CONNECTION_OK)
    return true;
  // The library notices only when it reads, and not always then.
  ::pollfd way{PQsocket(conn), POLLRDHUP, 0};
  return ::poll(&way, 1, 0) != 0;
}

bool is_spoiled(connection::state& state) {
  return PQtransactionStatus(handle(state)) == PQTRANS_INERROR;
}

bool may_pass(const soci::soci_error& error) {
  auto code = sql_state(error);
  // Classes and codes of errors: the connection, collisions, resources, an
  // operator's hand, I/O; locks and time; a server that is (still) read-only.
  return std::ranges::any_of(
    std::initializer_list<std::string_view>{"08", "40", "53", "57P", "58",
                                            "55P03", "57014", "25006", "25P03"},
    [&](std::string_view known) { return code.starts_with(known); });
}

bool is_collision(const soci::soci_error& error) {
  auto code = sql_state(error);
  return code == "40001" || code == "40P01";
}

} // namespace greenroom::store::postgresql
