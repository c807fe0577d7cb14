// What the environment of a session's commands says of their home.
#pragma once

#include <map>
#include <string>

namespace greenroom {

/// The home of what runs in a sandbox; elsewhere it is the session's own
/// directory.
inline constexpr const char* home_in_sandbox = "/home/greenroom";
inline constexpr const char* runtime_dir_in_sandbox = "/run/user/1000";

/// HOME and who lives there, and PATH: first where pip, npm, Go and Cargo put
/// programs in the home, then the usual places. In a sandbox also what makes
/// them put things there.
inline std::map<std::string, std::string>
home_environment(const std::string& home) {
  std::map<std::string, std::string> result{
    {"PATH", home + "/.local/bin:" + home + "/go/bin:" + home
               + "/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                 "/usr/bin:/sbin:/bin"},
    {"HOME", home},
    {"USER", "greenroom"},
    {"LOGNAME", "greenroom"}};
  if (home != home_in_sandbox)
    return result;
  result["XDG_RUNTIME_DIR"] = runtime_dir_in_sandbox;
  // Its prefix is in the home, for npm of any origin.
  result["NPM_CONFIG_GLOBALCONFIG"] = "/etc/npmrc";
  // Nothing of the system can be broken, for it is read-only.
  result["PIP_BREAK_SYSTEM_PACKAGES"] = "1";
  return result;
}

} // namespace greenroom
