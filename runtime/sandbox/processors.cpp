#include "runtime/sandbox/processors.hpp"

#include "runtime/base/files.hpp"

#include <sched.h>

#include <algorithm>
#include <functional>

namespace greenroom::sandbox {

namespace fs = std::filesystem;

namespace {

std::string in_kernels_form(const std::vector<unsigned>& chosen) {
  std::string result;
  for (std::size_t first = 0, next = 0; first < chosen.size(); first = next) {
    next = first + 1;
    while (next < chosen.size() && chosen[next] == chosen[next - 1] + 1)
      ++next;
    result += (first == 0 ? "" : ",") + std::to_string(chosen[first]);
    if (next - first > 1)
      result += '-' + std::to_string(chosen[next - 1]);
  }
  return result;
}

} // namespace

std::vector<unsigned> own_processors() {
  std::vector<unsigned> result;
  ::cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0)
    return result;
  for (unsigned one = 0; one < CPU_SETSIZE; ++one)
    if (CPU_ISSET(one, &set))
      result.push_back(one);
  return result;
}

std::string processors_for(const std::string& session_id, std::uint32_t count,
                           const std::vector<unsigned>& all) {
  if (count == 0 || count >= all.size())
    return {};
  auto first = std::hash<std::string>{}(session_id);
  std::vector<unsigned> chosen;
  for (std::uint32_t i = 0; i < count; ++i)
    chosen.push_back(all[(first + i) % all.size()]);
  std::ranges::sort(chosen);
  return in_kernels_form(chosen);
}

fs::path made_processors(const fs::path& files, const std::string& list) {
  auto file = files / "processors" / list;
  ensure_dir(file.parent_path());
  if (!fs::exists(file))
    write_file_atomic(file, list + '\n', 0644, false);
  return file;
}

} // namespace greenroom::sandbox
