#include "runtime/runner/core/session_files.hpp"

#include "runtime/runner/core/json_fields.hpp"

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

std::string to_json(const runner_config& config) {
  return to_text({{"session_id", config.session_id},
                  {"nonce", config.nonce},
                  {"kill_grace_ms", config.kill_grace},
                  {"checkout", config.checkout}});
}

std::string to_json(const command_spec& spec) {
  return to_text({{"argv", spec.argv},
                  {"cwd", spec.cwd},
                  {"env", spec.env},
                  {"timeout_ms", spec.timeout},
                  {"max_output", spec.max_output}});
}

runner_config parse_runner_config(std::string_view text) {
  auto object = parse_object(text);
  runner_config result;
  result.session_id = string_field(object, "session_id");
  result.nonce = string_field(object, "nonce");
  if (result.nonce.empty())
    throw bad_field{"nonce is empty"};
  result.kill_grace = integer_field(object, "kill_grace_ms", 0, longest);
  result.checkout = without_nul(string_field(object, "checkout"), "checkout");
  return result;
}

command_spec parse_command_spec(std::string_view text) {
  auto object = parse_object(text);
  command_spec result;
  const auto& argv = field(object, "argv");
  if (!argv.is_array() || argv.empty())
    throw bad_field{"argv is no list of at least one string"};
  for (const auto& arg : argv) {
    if (!arg.is_string())
      throw bad_field{"argv is no list of strings"};
    result.argv.push_back(
      without_nul(arg.get_ref<const std::string&>(), "argv"));
  }
  result.cwd = without_nul(string_field(object, "cwd"), "cwd");
  const auto& env = field(object, "env");
  if (!env.is_object())
    throw bad_field{"env is no object"};
  for (const auto& [key, value] : env.items()) {
    if (key.empty() || key.find('=') != std::string::npos || !value.is_string())
      throw bad_field{"env holds what is no variable: \"" + key + '"'};
    result.env.emplace(without_nul(key, "env"),
                       without_nul(value.get_ref<const std::string&>(), "env"));
  }
  result.timeout = integer_field(object, "timeout_ms", 0, longest);
  result.max_output = count_field(object, "max_output");
  return result;
}

} // namespace greenroom::runner
