#include "runtime/auth/api_keys.hpp"

#include "messages/errors.hpp"
#include "runtime/auth/logins.hpp"
#include "runtime/auth/scopes.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

using namespace greenroom;
using Catch::Contains;

namespace {

constexpr std::string_view admin_secret = "an-administrator's-key";

made_key some_key(std::vector<std::string> scopes = {"sessions:read"},
                  std::vector<std::string> projects = {},
                  unix_ms expires_at = 0) {
  return make_key("ci", std::move(scopes), std::move(projects), expires_at);
}

bool has(const key_record& key, std::vector<std::string_view> scopes) {
  return has_any(key, scopes);
}

} // namespace

TEST_CASE("SHA-256 is that of the standard") {
  CHECK(sha256_hex("")
        == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc")
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(parse_sha256(sha256_hex("abc")) == sha256("abc"));
  CHECK_FALSE(parse_sha256("abc"));
  CHECK_FALSE(parse_sha256(std::string(64, 'g')));
  CHECK_FALSE(parse_sha256(std::string(64, 'A')));
}

TEST_CASE("a made key opens the table with its secret and nothing else") {
  auto made = some_key();
  key_table table{{made.record}};
  auto* found = table.find(made.secret, now_ms());
  REQUIRE(found != nullptr);
  CHECK(*found == made.record);
  CHECK(table.find("", now_ms()) == nullptr);
  CHECK(table.find(made.secret + "0", now_ms()) == nullptr);
  CHECK(table.find(made.record.secret_hash, now_ms()) == nullptr);
  CHECK(table.find(made.record.id, now_ms()) == nullptr);
}

TEST_CASE("a secret is long, and kept as its hash only") {
  auto made = some_key();
  CHECK(made.secret.size() == 3 + 64);
  CHECK(made.secret.starts_with("gr_"));
  CHECK(made.record.secret_hash == sha256_hex(made.secret));
  CHECK(made.record.name == "ci");
  CHECK(made.record.created_at > 0);
  CHECK(some_key().secret != made.secret);
  CHECK(some_key().record.id != made.record.id);
}

TEST_CASE("a key whose time is over is not found") {
  const auto now = now_ms();
  auto made = some_key({"admin"}, {}, now + 60'000);
  key_table table{{made.record}};
  CHECK(table.find(made.secret, now) != nullptr);
  CHECK(table.find(made.secret, now + 59'999) != nullptr);
  CHECK(table.find(made.secret, now + 60'000) == nullptr);
}

TEST_CASE("a record without a hash makes no table") {
  CHECK_THROWS_AS(key_table{{key_record{}}}, std::runtime_error);
}

TEST_CASE("the ring always has the administrator's key") {
  key_ring ring{admin_secret};
  auto* admin = ring.snapshot()->find(admin_secret, now_ms());
  REQUIRE(admin != nullptr);
  CHECK(admin->id == "admin");
  CHECK(admin->scopes == std::vector<std::string>{"admin"});
  auto made = some_key();
  auto impostor = made.record;
  impostor.secret_hash = sha256_hex(admin_secret);
  ring.replace({impostor});
  CHECK(ring.snapshot()->find(admin_secret, now_ms())->id == "admin");
}

TEST_CASE("a replaced table serves those who hold it, and nobody else") {
  key_ring ring{admin_secret};
  auto made = some_key();
  ring.replace({made.record});
  auto before = ring.snapshot();
  ring.replace({});
  CHECK(before->find(made.secret, now_ms()) != nullptr);
  CHECK(ring.snapshot()->find(made.secret, now_ms()) == nullptr);
}

TEST_CASE("tables are read while they are replaced") {
  key_ring ring{admin_secret};
  auto made = some_key();
  std::atomic<bool> done{false};
  std::atomic<int> missing{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      while (!done)
        if (ring.snapshot()->find(admin_secret, 1) == nullptr)
          ++missing;
    });
  for (int i = 0; i < 2'000; ++i)
    ring.replace(i % 2 == 0 ? std::vector{made.record}
                            : std::vector<key_record>{});
  done = true;
  for (auto& reader : readers)
    reader.join();
  CHECK(missing == 0);
}

TEST_CASE("any one of a route's scopes opens it") {
  auto key = some_key({"sessions:read", "projects:execute"}).record;
  CHECK(has(key, {"sessions:read"}));
  CHECK(has(key, {"admin", "projects:execute"}));
  CHECK_FALSE(has(key, {"sessions:execute", "admin"}));
  CHECK_FALSE(has(key, {}));
  CHECK_FALSE(has(some_key({"admin"}).record, {"sessions:read"}));
}

TEST_CASE("a key may be limited to projects") {
  CHECK(allows_project(some_key().record, "any"));
  auto limited = some_key({"sessions:read"}, {"a", "b"}).record;
  CHECK(allows_project(limited, "b"));
  CHECK_FALSE(allows_project(limited, "c"));
  CHECK_FALSE(allows_project(limited, ""));
}

TEST_CASE("bad keys are refused by the field that is bad") {
  auto error = [](auto... args) -> std::string {
    try {
      make_key(args...);
    } catch (const refused& e) {
      CHECK(e.code() == errc::bad_request);
      return e.what();
    }
    return "no error";
  };
  using list = std::vector<std::string>;
  const list good{"admin"};
  CHECK_THAT(error("", good, list{}, 0), Contains("name must"));
  CHECK_THAT(error("a\nb", good, list{}, 0), Contains("name must"));
  CHECK_THAT(error(std::string(101, 'x'), good, list{}, 0),
             Contains("name must"));
  CHECK_THAT(error("x", list{}, list{}, 0),
             Contains("scopes must") && Contains("sessions:execute"));
  CHECK_THAT(error("x", list{"root"}, list{}, 0), Contains("\"root\""));
  CHECK_THAT(error("x", good, list{"../a"}, 0), Contains("\"../a\""));
  CHECK_THAT(error("x", good, list{}, 1), Contains("expires_in"));
}

TEST_CASE(
  "another administrator's key ends the one before and what it signed") {
  key_ring ring{admin_secret};
  auto made = some_key();
  ring.replace({made.record});
  const auto& before = ring.logins();
  const auto login = before.make("admin", now_ms() + 60'000);
  CHECK_FALSE(ring.replace_admin(admin_secret));
  CHECK(ring.logins().find(login, *ring.snapshot(), now_ms()) != nullptr);
  CHECK(ring.replace_admin("another-administrator's-key"));
  const auto keys = ring.snapshot();
  CHECK(keys->find(admin_secret, now_ms()) == nullptr);
  REQUIRE(keys->find("another-administrator's-key", now_ms()) != nullptr);
  CHECK(keys->find("another-administrator's-key", now_ms())->id
        == admin_key_id);
  CHECK(keys->find(made.secret, now_ms()) != nullptr);
  CHECK(ring.logins().find(login, *keys, now_ms()) == nullptr);
  // Whoever is at the former one may go on with it.
  CHECK(before.find(login, *keys, now_ms()) != nullptr);
}

TEST_CASE("a key without an author commits by its name") {
  CHECK(author_text({"k1", "Ada", "Ada B <ada@example.org>"})
        == "Ada B <ada@example.org>");
  CHECK(author_text({"k1", "Ada", ""}) == "Ada <k1@greenroom.invalid>");
  CHECK(author_text({"k1", "", ""}) == "k1 <k1@greenroom.invalid>");
  CHECK(author_text({}).empty());
}
