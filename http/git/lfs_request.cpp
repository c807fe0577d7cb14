#include "http/git/lfs_request.hpp"

#include "http/base/reply.hpp"
#include "http/git/answer_head.hpp"
#include "http/git/clone_url.hpp"
#include "http/git/in_background.hpp"
#include "http/git/lfs_batch.hpp"
#include "http/git/request_body.hpp"
#include "messages/errors.hpp"
#include "runtime/git/session/git_service.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

namespace greenroom::http::git_http {

namespace {

constexpr std::uint64_t max_batch = std::uint64_t{4} << 20;
// What of contents is in memory at a time.
constexpr std::size_t piece_size = std::size_t{256} << 10;
constexpr const char* media_type = "application/vnd.git-lfs+json";

void append(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    auto done = ::write(file, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      throw std::system_error(errno, std::generic_category(),
                              "cannot keep contents of Git LFS");
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
}

// As git-lfs itself finds it from a repository's URL.
std::string lfs_url_of(std::string_view upstream) {
  if (!upstream.starts_with("http://") && !upstream.starts_with("https://"))
    return {};
  std::string result{upstream.substr(0, upstream.find_last_not_of('/') + 1)};
  if (!result.ends_with(".git"))
    result += ".git";
  return result + "/info/lfs";
}

} // namespace

std::string lfs_advice(std::string_view upstream) {
  auto url = lfs_url_of(upstream);
  return "the server has no git-lfs, by which it would pass on contents of Git "
         "LFS: have it installed there, or "
         + (url.empty()
              ? "set lfs.url to the server that has them: git config "
                "lfs.url URL"
              : "get them from the upstream: git config lfs.url " + url);
}

lfs_request::lfs_request(git_context& around, wire::server_connection& client,
                         const project_record& project, const git_route& route,
                         const token_revocation& watch,
                         std::string_view request_id)
  : around_(around), client_(client), project_(project), route_(route),
    watch_(watch), request_id_(request_id) {}

asio::awaitable<void> lfs_request::serve() {
  std::optional<refusal> fault;
  try {
    co_await dispatch();
  } catch (const refused& e) {
    fault = refusal{e.code(), e.what()};
  }
  if (!fault)
    co_return;
  auto status = status_of(fault->code);
  if (fault->code == errc::conflict)
    status = 404; // git-lfs tries again after 409, and goes on after 422
  co_await refuse(status, fault->message);
}

void lfs_request::check_token() const {
  if (watch_.dead())
    throw refused{errc::unauthorized,
                  "the session is over, or a newer clone token has taken this "
                  "one's place"};
}

asio::awaitable<void> lfs_request::dispatch() {
  check_token();
  if (!around_.git || !git::lfs_store::available()) {
    auto advice = lfs_advice(project_.repo);
    co_await refuse(501, advice);
    co_return;
  }
  constexpr std::string_view objects = "objects/";
  const std::string_view what = route_.lfs;
  const auto& method = client_.head().method;
  auto oid = what.starts_with(objects)
               ? std::string{what.substr(objects.size())}
               : std::string{};
  if (method == "POST" && oid == "batch")
    co_await batch();
  else if (method == "GET" && git::is_lfs_oid(oid))
    co_await send(oid);
  else if (method == "PUT" && git::is_lfs_oid(oid))
    co_await take(oid);
  else
    co_await refuse(404, "of the Git LFS API this server has batches and "
                         "basic transfers; there are no locks");
}

std::string lfs_request::place_of(const git::lfs_object& what) const {
  return clone_url(around_.options, route_.project_id, route_.session_id, {})
         + "/info/lfs/objects/" + what.oid
         + "?size=" + std::to_string(what.size);
}

asio::awaitable<void> lfs_request::batch() {
  std::string text;
  request_body body{client_, max_batch, around_.options.git_timeout};
  for (;;) {
    auto piece = co_await body.next();
    if (piece.empty())
      break;
    text += piece;
  }
  auto wish = read_lfs_batch(text);
  // What was sent stands in each answer: as short as it can be.
  auto token = token_of(client_.head().headers.get("Authorization"));
  const auto told =
    lfs_batch_answer(wish, token, [this](const git::lfs_object& what) {
      return place_of(what);
    });
  co_await reply(200, told);
}

asio::awaitable<void> lfs_request::send(const std::string& oid) {
  git::lfs_object what{oid, lfs_size_in(client_.head().target)};
  auto look = [this, &what] { return around_.git->find_lfs(project_, what); };
  auto file = co_await in_background(*around_.disk, look);
  if (!file) {
    auto turn = co_await around_.turns.wait(around_.loop->context(),
                                            project_.id, route_.session_id);
    auto get = [this, &what] { return around_.git->fetch_lfs(project_, what); };
    file = co_await in_background(*around_.waiting, get);
  }
  auto each = around_.options.git_timeout;
  auto head = answer_head(200, "application/octet-stream", request_id_);
  client_.begin(head, what.size);
  std::string buffer(piece_size, '\0');
  for (auto left = what.size; left > 0;) {
    auto next = [&buffer, left, fd = file.get()] {
      return ::read(fd, buffer.data(),
                    std::min<std::uint64_t>(buffer.size(), left));
    };
    auto got = co_await in_background(*around_.disk, next);
    if (got <= 0)
      throw wire::lost{};
    left -= static_cast<std::uint64_t>(got);
    std::string_view piece{buffer.data(), static_cast<std::size_t>(got)};
    co_await client_.write(piece, each);
  }
  co_await client_.finish(each);
}

asio::awaitable<void> lfs_request::take(const std::string& oid) {
  git::lfs_object what{oid, lfs_size_in(client_.head().target)};
  auto place = around_.git->scratch();
  unique_fd file{::open(place.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (!file)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a file for contents of Git LFS");
  request_body body{client_, around_.options.max_push,
                    around_.options.git_timeout};
  std::string buffer;
  auto keep = [&buffer, fd = file.get()] {
    append(fd, buffer);
    buffer.clear();
    return true;
  };
  for (;;) {
    auto piece = co_await body.next();
    buffer += piece;
    if (buffer.size() >= piece_size || piece.empty())
      co_await in_background(*around_.disk, keep);
    if (piece.empty())
      break;
  }
  auto turn = co_await around_.turns.wait(around_.loop->context(), project_.id,
                                          route_.session_id);
  check_token();
  ::lseek(file.get(), 0, SEEK_SET);
  auto put = [this, &what, fd = file.get()] {
    around_.git->deliver_lfs(project_, what, fd);
    return true;
  };
  co_await in_background(*around_.waiting, put);
  co_await reply(200, "{}");
}

asio::awaitable<void> lfs_request::reply(int status, std::string_view body) {
  auto head = answer_head(status, media_type, request_id_);
  co_await client_.reply(head, body, around_.options.git_timeout);
}

asio::awaitable<void> lfs_request::refuse(int status,
                                          std::string_view sentence) {
  using nlohmann::json;
  json body{{"message", "greenroom: " + std::string{sentence}},
            {"documentation_url", "/docs/errors"},
            {"request_id", request_id_}};
  co_await reply(status,
                 body.dump(-1, ' ', false, json::error_handler_t::replace));
}

} // namespace greenroom::http::git_http
