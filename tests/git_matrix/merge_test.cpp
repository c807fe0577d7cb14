// A merge of ours, and its forecast in the session, are what `git merge` makes
// of the same two branches with the target checked out.
#include "tests/git_matrix/merges.hpp"

using namespace greenroom;
using namespace greenroom::test;

namespace {

#define LINES "seq 1 30 >f\n"
#define UNION "echo 'f merge=union' >.gitattributes\n" LINES

constexpr merge_row rows[] = {
  {"different files", ":", "echo a >a", "echo b >b"},
  {"different places of a file", LINES, "sed -i 1d f", "sed -i '$d' f"},
  {"the same change", LINES, "sed -i 1d f", "sed -i 1d f"},
  {"a conflict", LINES, "sed -i 's/^9$/x/' f", "sed -i 's/^9$/y/' f"},
  {"union", UNION, "sed -i 's/^9$/x/' f", "sed -i 's/^9$/y/' f"},
  {"union in the target only", LINES,
   "echo 'f merge=union' >.gitattributes; sed -i 's/^9$/x/' f",
   "sed -i 's/^9$/y/' f"},
  {"union in the branch only", LINES, "sed -i 's/^9$/x/' f",
   "echo 'f merge=union' >.gitattributes; sed -i 's/^9$/y/' f"},
  {"union in the longest line that git reads",
   "printf 'f%2046s\\n' merge=union >.gitattributes\n" LINES,
   "sed -i 's/^9$/x/' f", "sed -i 's/^9$/y/' f"},
  {"union in a line that is too long for git",
   "printf 'f%2047s\\n' merge=union >.gitattributes\n" LINES,
   "sed -i 's/^9$/x/' f", "sed -i 's/^9$/y/' f"},
  {"a driver in a line that is too long for git",
   "printf 'f%3000s\\n' merge=ours >.gitattributes\n" LINES, "sed -i 1d f",
   "sed -i '$d' f"},
  {"union below a directory",
   "mkdir d; echo 'f merge=union' "
   ">d/.gitattributes; seq 1 30 >d/f",
   "sed -i 's/^9$/x/' d/f", "sed -i 's/^9$/y/' d/f"},
  {"-merge", "echo 'f -merge' >.gitattributes\n" LINES, "sed -i 1d f",
   "sed -i '$d' f"},
  {"binary", "echo 'f binary' >.gitattributes\n" LINES, "sed -i 1d f",
   "sed -i '$d' f"},
  {"a binary file", "printf 'a\\0b' >f", "printf 'a\\0c' >f",
   "printf 'a\\0d' >f"},
  {"an empty file that goes, others that come", ": >one",
   "git rm -q one; : >two", "echo text >one"},
  {"a renamed directory and a new file in it",
   "mkdir lib; seq 1 9 >lib/a; "
   "seq 5 20 >lib/b",
   "git mv lib src", "echo n >lib/new.c"},
  {"a new file in a directory that the branch renamed",
   "mkdir lib; seq 1 9 >lib/a; seq 5 20 >lib/b", "echo n >lib/new.c",
   "git mv lib src"},
  {"a rename and a change", LINES, "git mv f g", "sed -i 1d f"},
  {"the same rename on both sides", LINES, "git mv f g; sed -i 1d g",
   "git mv f g; sed -i '$d' g"},
  {"two renames of a file", LINES, "git mv f g", "git mv f h"},
  {"two files renamed to one", "seq 1 30 >f; seq 40 70 >g", "git mv f h",
   "git mv g h"},
  {"removed and changed", LINES, "git rm -q f", "sed -i 1d f"},
  {"removed on both sides", LINES, "git rm -q f", "git rm -q f; echo a >a"},
  {"added alike", ":", "echo a >a", "echo a >a; echo b >b"},
  {"added with other contents", ":", "echo a >a", "echo b >a"},
  {"added with another mode", ":", "echo a >a", "echo a >a; chmod +x a"},
  {"a mode and a change", LINES, "chmod +x f", "sed -i 1d f"},
  {"a file and a directory", ":", "echo a >a", "mkdir a; echo b >a/b"},
  {"a link and a file", LINES, "rm f; ln -s x f", "sed -i 1d f"},
  {"line ends by attribute", "printf 'a\\r\\nb\\r\\n' >f",
   "echo 'f text' >.gitattributes; git add --renormalize .",
   "printf 'a\\r\\nb\\r\\nc\\r\\n' >f"},
  {"moved functions", "seq 1 60 >f", "{ seq 31 60; seq 1 30; } >f",
   "sed -i '10a new' f"},
  {"a file of many equal lines",
   "for i in $(seq 20); do echo '{'; echo x$i; echo '}'; done >f",
   "sed -i '6a {\\nnew\\n}' f", "sed -i '30a {\\nold\\n}' f"},
  {"unrelated attributes of the session", LINES, "sed -i 's/^9$/x/' f",
   "mkdir -p .git/info; echo 'f merge=union' >.git/info/attributes; "
   "git config merge.renames false; sed -i 's/^9$/y/' f"},
  {"many renamed files", "mkdir m; for i in $(seq 600); do echo $i >m/$i; done",
   "git mv m n", "echo more >>m/77"},
};

} // namespace

TEST_CASE("a merge and its forecast are git's") {
  auto which = GENERATE(range(std::size_t{0}, std::size(rows)));
  check_merge(rows[which]);
}
