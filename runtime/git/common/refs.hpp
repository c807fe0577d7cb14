// What may name a branch, a tag or an upstream.
//
// Names come from API users and end up as arguments of git and as files in
// the mirror, so everything is checked here, before it goes anywhere. Each
// function answers with the rule that was broken, worded to follow the name of
// the field ("must not start with '-'"), or nullopt where all is well.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace greenroom::git {

/// The longest branch or tag name, in bytes: with what stands before it in the
/// mirror, such as refs/greenroom/rescue/<sid>/heads/, libgit2 takes 1023.
inline constexpr std::size_t max_name = 900;

/// The longest of its parts. Each is a file or directory, whose name has 255
/// bytes at most, and git keeps a reference locked as NAME.lock.
inline constexpr std::size_t max_name_part = 250;

/// For `branch` and `new_branch`: git's own rules for names, and
/// some of ours. The 7 to 40 hex digits of a commit id pass too.
std::optional<std::string> name_fault(std::string_view name);

/// For `from_ref`: what name_fault takes, and full names, refs/….
std::optional<std::string> ref_fault(std::string_view name);

/// True for two references of which git keeps only one, a beside a/b: each is a
/// file, and what is before a slash a directory. Not for equal ones.
bool are_beside(std::string_view a, std::string_view b);

/// For a project's `repo`: an absolute path, file://, http://, https:// or
/// ssh://, without password and, but for ssh, without user name.
std::optional<std::string> upstream_fault(std::string_view upstream);

/// The text with whatever stands as `user:password@` in an URL blotted out.
std::string without_credentials(std::string text);

} // namespace greenroom::git
