#include "http/git/lfs_batch.hpp"

#include "http/base/json_body.hpp"
#include "messages/errors.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <system_error>
#include <utility>

namespace greenroom::http::git_http {

namespace {

// Empty where there is no text of that name.
std::string lfs_text_at(const nlohmann::json& of, const char* name) {
  auto at = of.find(name);
  return at != of.end() && at->is_string() ? at->get<std::string>()
                                           : std::string{};
}

git::lfs_object read_lfs_object(const nlohmann::json& from) {
  auto oid = lfs_text_at(from, "oid");
  auto size = from.find("size");
  if (!git::is_lfs_oid(oid) || size == from.end()
      || !size->is_number_unsigned())
    throw refused{errc::bad_request, "an object needs oid and size"};
  return {std::move(oid), size->get<std::uint64_t>()};
}

} // namespace

lfs_batch read_lfs_batch(std::string_view body) {
  const auto asked = parse_object(body);
  auto all = asked.find("objects");
  if (all == asked.end() || !all->is_array())
    throw refused{errc::bad_request, "this is no batch of Git LFS"};
  if (all->size() > max_lfs_objects)
    throw refused{errc::bad_request, "a batch of Git LFS may have "
                                       + std::to_string(max_lfs_objects)
                                       + " objects: ask for them in several"};
  lfs_batch result{lfs_text_at(asked, "operation"), {}};
  if (result.verb != "download" && result.verb != "upload")
    throw refused{errc::bad_request,
                  "operation must be \"download\" or \"upload\""};
  for (const auto& one : *all)
    result.objects.push_back(read_lfs_object(one));
  return result;
}

std::string lfs_batch_answer(
  const lfs_batch& batch, std::string_view token,
  const std::function<std::string(const git::lfs_object&)>& place_of) {
  using nlohmann::json;
  json answer{
    {"transfer", "basic"}, {"hash_algo", "sha256"}, {"objects", json::array()}};
  const json header{{"Authorization", "Bearer " + std::string{token}}};
  for (const auto& object : batch.objects) {
    json told{
      {"oid", object.oid}, {"size", object.size}, {"authenticated", true}};
    told["actions"][batch.verb] = {{"href", place_of(object)},
                                   {"header", header}};
    answer["objects"].push_back(std::move(told));
  }
  return answer.dump();
}

std::uint64_t lfs_size_in(std::string_view target) {
  constexpr std::string_view mark = "?size=";
  auto at = target.rfind(mark);
  std::uint64_t size = 0;
  if (at == target.npos)
    throw refused{errc::bad_request, "size is missing: ask for a batch first"};
  auto digits = target.substr(at + mark.size());
  auto [end, fault] =
    std::from_chars(digits.data(), digits.data() + digits.size(), size);
  if (fault != std::errc{} || end != digits.data() + digits.size())
    throw refused{errc::bad_request, "size must be a number of bytes"};
  return size;
}

} // namespace greenroom::http::git_http
