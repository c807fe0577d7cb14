#include "runtime/runner/protocol/session_files.hpp"

#include "runtime/runner/protocol/command_fields.hpp"

#include <limits>

namespace greenroom::runner {

using nlohmann::json;

namespace {

// The longest time that is taken, ten years: sums of times then never overflow.
constexpr std::int64_t longest = 10ll * 366 * 24 * 60 * 60 * 1000;

// The kernel would take the text to end at the NUL.
const std::string& without_nul(const std::string& text, const char* what) {
  if (text.find('\0') != std::string::npos)
    throw bad_field{std::string{what} + " holds a NUL byte"};
  return text;
}

} // namespace

std::string exec_dir(std::string_view exec) {
  return "exec/" + std::string{exec};
}

namespace {

json to_object(const sandbox_plan& plan) {
  return {{"argv", plan.argv},
          {"seccomp_file", plan.seccomp_file},
          {"runner", plan.runner},
          {"checkout", plan.checkout},
          {"nat", plan.nat},
          {"nat_options", plan.nat_options},
          {"cgroups", plan.cgroups},
          {"rlimits", plan.rlimits},
          {"host_network", plan.host_network}};
}

std::vector<std::string> strings_field(const json& object, const char* name) {
  const auto& list = field(object, name);
  if (!list.is_array())
    throw bad_field{std::string{name} + " is no list of strings"};
  std::vector<std::string> result;
  for (const auto& item : list) {
    if (!item.is_string())
      throw bad_field{std::string{name} + " is no list of strings"};
    result.push_back(without_nul(item.get_ref<const std::string&>(), name));
  }
  return result;
}

const json& object_field(const json& object, const char* name) {
  const auto& result = field(object, name);
  if (!result.is_object())
    throw bad_field{std::string{name} + " is no object"};
  return result;
}

std::string path_field(const json& object, const char* name) {
  return without_nul(string_field(object, name), name);
}

sandbox_plan to_sandbox_plan(const json& object) {
  sandbox_plan result;
  result.argv = strings_field(object, "argv");
  if (result.argv.empty())
    throw bad_field{"the sandbox's argv is empty"};
  result.seccomp_file = path_field(object, "seccomp_file");
  result.runner = path_field(object, "runner");
  result.checkout = path_field(object, "checkout");
  result.nat = bool_field(object, "nat");
  result.nat_options = strings_field(object, "nat_options");
  result.cgroups = strings_field(object, "cgroups");
  const auto& rlimits = object_field(object, "rlimits");
  for (const auto& [name, value] : rlimits.items())
    result.rlimits.emplace(name, count_field(rlimits, name.c_str()));
  // What an older node has written is without.
  if (object.contains("host_network"))
    result.host_network = bool_field(object, "host_network");
  return result;
}

std::uint16_t cells_field(const json& object, const char* name) {
  return static_cast<std::uint16_t>(
    integer_field(object, name, 0, std::numeric_limits<std::uint16_t>::max()));
}

} // namespace

std::string to_json(const runner_config& config) {
  json object{{"session_id", config.session_id},
              {"nonce", config.nonce},
              {"kill_grace_ms", config.kill_grace},
              {"checkout", config.checkout}};
  if (config.sandbox)
    object["sandbox"] = to_object(*config.sandbox);
  if (config.idle > 0)
    object["idle_ms"] = config.idle;
  if (!config.lease.empty())
    object["lease"] = config.lease;
  return to_text(object);
}

void put_command_fields(json& object, const command_spec& spec) {
  object["argv"] = spec.argv;
  object["cwd"] = spec.cwd;
  object["env"] = spec.env;
  object["timeout_ms"] = spec.timeout;
  object["max_output"] = spec.max_output;
  object["stdin_open"] = spec.stdin_open;
  object["rows"] = spec.rows;
  object["cols"] = spec.cols;
  if (spec.first_input)
    object["first_input"] = {{"ends", spec.input_ends}};
}

std::string to_json(const command_spec& spec) {
  auto object = json::object();
  put_command_fields(object, spec);
  return to_text(object);
}

runner_config parse_runner_config(std::string_view text) {
  auto object = parse_object(text);
  runner_config result;
  result.session_id = string_field(object, "session_id");
  result.nonce = string_field(object, "nonce");
  if (result.nonce.empty())
    throw bad_field{"nonce is empty"};
  result.kill_grace = integer_field(object, "kill_grace_ms", 0, longest);
  result.checkout = path_field(object, "checkout");
  if (object.contains("sandbox"))
    result.sandbox = to_sandbox_plan(object_field(object, "sandbox"));
  if (object.contains("idle_ms"))
    result.idle = integer_field(object, "idle_ms", 0, longest);
  if (object.contains("lease"))
    result.lease = path_field(object, "lease");
  return result;
}

command_spec parse_command_spec(std::string_view text) {
  auto object = parse_object(text);
  command_spec result;
  result.argv = strings_field(object, "argv");
  if (result.argv.empty())
    throw bad_field{"argv is empty"};
  result.cwd = path_field(object, "cwd");
  for (const auto& [key, value] : object_field(object, "env").items()) {
    if (key.empty() || key.find('=') != std::string::npos || !value.is_string())
      throw bad_field{"env holds what is no variable: \"" + key + '"'};
    result.env.emplace(without_nul(key, "env"),
                       without_nul(value.get_ref<const std::string&>(), "env"));
  }
  result.timeout = integer_field(object, "timeout_ms", 0, longest);
  result.max_output = count_field(object, "max_output");
  result.stdin_open = bool_field(object, "stdin_open");
  result.rows = cells_field(object, "rows");
  result.cols = cells_field(object, "cols");
  if (object.contains("first_input")) {
    result.first_input = true;
    result.input_ends = bool_field(object_field(object, "first_input"), "ends");
  }
  return result;
}

} // namespace greenroom::runner
