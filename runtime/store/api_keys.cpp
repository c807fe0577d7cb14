#include "runtime/store/api_keys.hpp"

#include "runtime/store/sql.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>

namespace greenroom::store {

namespace {

using nlohmann::json;
using texts = std::vector<std::string>;

std::string list_to_json(const char* field, const texts& list) {
  for (const auto& item : list)
    check_text(field, item);
  return json(list).dump();
}

texts list_from_json(const std::string& key_id, const std::string& text) {
  try {
    return json::parse(text).get<texts>();
  } catch (const json::exception&) {
    throw std::runtime_error("the store has key " + key_id
                             + " in a form that cannot be read");
  }
}

} // namespace

void put_key(connection& c, const key_record& key) {
  check_text("id", key.id);
  check_text("name", key.name);
  check_text("author", key.author);
  check_text("secret_hash", key.secret_hash);
  const auto scopes = list_to_json("scopes", key.scopes);
  const auto projects = list_to_json("projects", key.projects);
  const long long created_at = key.created_at;
  const long long expires_at = key.expires_at;
  in_transaction(c, [&](soci::session& sql) {
    execute(sql,
            "INSERT INTO keys (id, name, author, secret_hash, scopes,"
            " projects, created_at, expires_at) VALUES (:id, :name, :author,"
            " :hash, :scopes, :projects, :created, :expires)"
            " ON CONFLICT (id) DO UPDATE SET"
            " name = excluded.name, author = excluded.author,"
            " secret_hash = excluded.secret_hash,"
            " scopes = excluded.scopes, projects = excluded.projects,"
            " created_at = excluded.created_at,"
            " expires_at = excluded.expires_at",
            soci::use(key.id, "id"), soci::use(key.name, "name"),
            soci::use(key.author, "author"), soci::use(key.secret_hash, "hash"),
            soci::use(scopes, "scopes"), soci::use(projects, "projects"),
            soci::use(created_at, "created"), soci::use(expires_at, "expires"));
  });
}

bool delete_key(connection& c, const std::string& id) {
  return in_transaction(c, [&](soci::session& sql) {
    return execute(sql, "DELETE FROM keys WHERE id = :id", soci::use(id, "id"))
           > 0;
  });
}

std::vector<key_record> keys(connection& c) {
  return reading(c, [&](soci::session& sql) {
    std::vector<key_record> result;
    key_record key;
    std::string scopes;
    std::string projects;
    long long created_at = 0;
    long long expires_at = 0;
    soci::statement statement =
      (sql.prepare
         << "SELECT id, name, author, secret_hash, scopes, projects,"
            " created_at, expires_at FROM keys ORDER BY created_at, id",
       soci::into(key.id), soci::into(key.name), soci::into(key.author),
       soci::into(key.secret_hash), soci::into(scopes), soci::into(projects),
       soci::into(created_at), soci::into(expires_at));
    statement.execute();
    while (statement.fetch()) {
      key.scopes = list_from_json(key.id, scopes);
      key.projects = list_from_json(key.id, projects);
      key.created_at = created_at;
      key.expires_at = expires_at;
      result.push_back(key);
    }
    return result;
  });
}

} // namespace greenroom::store
