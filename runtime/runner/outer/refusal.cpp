#include "runtime/runner/outer/refusal.hpp"

#include <cerrno>
#include <system_error>

namespace greenroom::runner {

namespace {

// A name may be megabytes long, a message may not.
std::string shortened(const std::string& text) {
  constexpr std::size_t longest = 256;
  return text.size() <= longest ? text : text.substr(0, longest) + "…";
}

std::string text_of(int error) {
  return std::generic_category().message(error);
}

std::string bad_cwd(int error, const std::string& cwd) {
  auto quoted = "cwd \"" + shortened(cwd) + '"';
  switch (error) {
    case ENOENT:
      return quoted + " does not exist in the checkout";
    case ENOTDIR:
      return quoted + " is no directory";
    case EXDEV:
    case ELOOP:
      return quoted + " leads out of the checkout";
    default:
      return quoted + " cannot be entered: " + text_of(error);
  }
}

std::string bad_command(int error, const std::string& name) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return "command not found: " + shortened(name);
    case EACCES:
      return "command is not executable: " + shortened(name);
    case E2BIG:
      return "the command's arguments and environment are too long: one of "
             "them may have 128 KiB, all together 6 MiB";
    default:
      return "command cannot be run: " + shortened(name) + ": "
             + text_of(error);
  }
}

} // namespace

std::string why_not_started(start_step step, int error,
                            const command_spec& spec) {
  switch (step) {
    case start_step::checkout:
      return "the checkout cannot be entered: " + text_of(error);
    case start_step::cwd:
      return bad_cwd(error, spec.cwd);
    case start_step::process:
      return "no process can be started: " + text_of(error);
    case start_step::tty:
      return "no terminal can be made: " + text_of(error);
    case start_step::command:
      return bad_command(error, spec.argv.front());
    case start_step::connect:
      break;
  }
  return text_of(error);
}

} // namespace greenroom::runner
