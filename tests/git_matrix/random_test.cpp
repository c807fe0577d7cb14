// Histories and checkouts by a seed: whatever a script has made of a checkout,
// check-in commits the tree that git commits in a clone.
#include "tests/git_matrix/matrix.hpp"

#include <cstdlib>
#include <random>

using namespace greenroom;
using namespace greenroom::test;

namespace {

/// Makes one script of many steps, each of which may fail: it then does so in
/// the session and in the clone alike.
class script_maker {
public:
  explicit script_maker(unsigned seed) : random_(seed) {}

  std::string make() {
    std::string script = "set +e\nexec >/dev/null 2>&1\n";
    for (auto left = 4 + pick(16); left > 0; --left)
      script += step() + '\n';
    return script + "true\n";
  }

private:
  unsigned pick(unsigned below) {
    return static_cast<unsigned>(random_() % below);
  }

  template <std::size_t N>
  std::string one_of(const char* const (&all)[N]) {
    return all[pick(N)];
  }

  std::string directory() {
    static constexpr const char* all[] = {
      ".",         "a",         "a/b",         "logs",   "build",
      "src/part1", "src/part2", "deep/er/est", "sp ace", "Grüße"};
    return one_of(all);
  }

  std::string name() {
    static constexpr const char* all[] = {
      "x",       "y.txt", "z.o",       "keep.log",  "n.log",
      "m.crlf",  "q.sec", "file1.txt", "file2.txt", "u16.u16",
      ".hidden", "A",     "-dash",     "w w"};
    return one_of(all);
  }

  std::string path() {
    return '"' + directory() + '/' + name() + '"';
  }

  std::string content() {
    static constexpr const char* all[] = {
      "one\\n",        "two\\nthree\\n", "a\\r\\nb\\r\\n",     "",
      "no end",        "\\0bin\\1",      "mixed\\r\\nends\\n", "$Id$\\n",
      "h\\0i\\0\\n\\0"};
    return "printf '" + one_of(all) + "'";
  }

  std::string pattern() {
    static constexpr const char* all[] = {
      "*.log",          "!keep.log", "build/", "/a",
      "a/**/z.o",       "*.o",       "!*.o",   "logs/*",
      "!logs/keep.log", "x",         "**/x",   "sp\\ ace",
      "[a-m]*",         "!/src",     "*/"};
    return one_of(all);
  }

  std::string attribute() {
    static constexpr const char* all[] = {
      "* text=auto",
      "*.crlf text eol=crlf",
      "*.txt text eol=lf",
      "*.sec filter=rot",
      "*.u16 working-tree-encoding=UTF-16LE",
      "*.o binary",
      "x ident",
      "*.log -text",
      "[attr]odd text eol=crlf",
      "y.txt odd"};
    return one_of(all);
  }

  std::string setting() {
    static constexpr const char* all[] = {"core.autocrlf true",
                                          "core.autocrlf input",
                                          "core.autocrlf false",
                                          "core.fileMode false",
                                          "core.symlinks false",
                                          "core.ignoreCase true",
                                          "core.safecrlf false",
                                          "core.eol crlf",
                                          "filter.rot.clean 'tr a-z n-za-m'",
                                          "filter.rot.smudge 'tr n-za-m a-z'",
                                          "index.version 4",
                                          "core.untrackedCache true",
                                          "core.splitIndex true",
                                          "feature.manyFiles true",
                                          "core.quotePath false",
                                          "core.precomposeUnicode true"};
    return "git config " + one_of(all);
  }

  std::string index_step() {
    static constexpr const char* all[] = {
      "git add -A",
      "git add -u",
      "git commit -qam Step",
      "git commit -qm Some",
      "git reset -q",
      "git stash -q",
      "git stash -q -u; git stash pop -q",
      "git rm -q --cached -r src/part2",
      "git update-index --split-index",
      "git update-index --index-version 4",
      "git mv src/part1 moved",
      "git mv -f moved src/part1",
      "git checkout -q -- .",
      "git clean -fdq",
      "git sparse-checkout set src/part1",
      "git sparse-checkout set --no-cone "
      "'/*' '!/src/part2'",
      "git sparse-checkout disable",
      "git merge -q -X ours FETCH_HEAD",
      "git cherry-pick -n HEAD~",
      "git update-index --assume-unchanged README src/part1/file1.txt",
      "git update-index --skip-worktree src/part1/file1.txt",
      "git reset -q --soft HEAD~",
      "git commit -q --amend --no-edit",
      "git pack-refs --all; git gc -q"};
    return one_of(all);
  }

  std::string step() {
    auto file = path();
    auto there = "mkdir -p \"$(dirname -- " + file + ")\"; ";
    switch (pick(14)) {
      case 0:
      case 1:
      case 2:
        return there + content() + " >" + file;
      case 3:
        return "rm -rf -- " + file;
      case 4:
        return there + "ln -sfn " + one_of(targets) + ' ' + file;
      case 5:
        return "chmod " + one_of(modes) + " -- " + file;
      case 6:
        return "mkdir -p \"" + directory() + "\"; echo '" + pattern() + "' >>\""
               + directory() + "/.gitignore\"";
      case 7:
        return "echo '" + attribute() + "' >>\"" + directory()
               + "/.gitattributes\"";
      case 8:
        return setting();
      case 9:
        return "mkdir -p .git/info; echo '" + pattern()
               + "' >>.git/info/exclude";
      case 10:
        return "git add -N -- " + file;
      case 11:
        return "git add -f -- " + file;
      default:
        return index_step();
    }
  }

  static constexpr const char* targets[] = {"x", "../y.txt", "/etc/passwd",
                                            "nowhere", "."};
  static constexpr const char* modes[] = {"755", "644", "600"};

  std::mt19937 random_;
};

unsigned number_from(const char* variable, unsigned otherwise) {
  const auto* text = std::getenv(variable);
  return text != nullptr ? static_cast<unsigned>(std::stoul(text)) : otherwise;
}

} // namespace

TEST_CASE("whatever has been done in a checkout, its tree is git's") {
  auto first = number_from("GREENROOM_MATRIX_SEED", 1);
  auto last = first + number_from("GREENROOM_MATRIX_SEEDS", 6);
  for (auto seed = first; seed < last; ++seed) {
    auto script = script_maker{seed}.make();
    INFO("GREENROOM_MATRIX_SEED=" << seed << '\n' << script);
    matrix_row row{script};
    auto wanted = row.expected();
    try {
      row.check_in();
      CHECK(row.committed() == wanted);
      row.w.check_sound(row.w.upstream);
    } catch (const refused& why) {
      INFO(why.what());
      // Git commits what a merge or cherry-pick has left; check-in asks first.
      if (why.code() != errc::operation_in_progress) {
        CHECK(why.code() == errc::conflict);
        CHECK(wanted.empty());
      }
    }
  }
}
