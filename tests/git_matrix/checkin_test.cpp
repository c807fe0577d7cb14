// Check-in commits what `git add -A && git commit` commits.
#include "tests/git_matrix/matrix.hpp"

using namespace greenroom;
using namespace greenroom::test;

namespace {

struct row {
  const char* name;
  const char* script;
};

// A program that reverses letters by 13, as a cipher would.
#define ROT "git config filter.rot.clean 'tr a-z n-za-m'\n"

constexpr row same_tree[] = {
  {"nothing at all", ":"},
  {"a changed file", "echo more >>src/part1/file1.txt"},
  {"a new file", "mkdir -p a/b; echo new >a/b/c"},
  {"a removed file", "rm src/part1/file1.txt"},
  {"a touched file", "touch src/part1/file1.txt"},
  {"an ignored file", "echo x >x.o; mkdir build; echo y >build/y"},
  {"a tracked file that is ignored now",
   "echo '*.txt' >>.gitignore; echo more >>src/part1/file1.txt; echo n >n.txt"},

  // filters
  {"a clean filter", ROT "echo '*.sec filter=rot' >.gitattributes\n"
                         "echo secret >note.sec"},
  {"a clean filter of the home's configuration",
   "git config --global filter.rot.clean 'tr a-z n-za-m'\n"
   "echo '*.sec filter=rot' >.gitattributes; echo secret >note.sec"},
  {"a clean filter by info/attributes",
   ROT "mkdir -p .git/info; echo '*.sec filter=rot' >.git/info/attributes\n"
       "echo secret >note.sec"},
  {"a clean filter by core.attributesFile",
   ROT "echo '*.sec filter=rot' >~/attributes\n"
       "git config core.attributesFile '~/attributes'; echo s >note.sec"},
  {"a file that is only touched under a filter",
   ROT "git config filter.rot.smudge 'tr n-za-m a-z'\n"
       "echo '*.sec filter=rot' >.gitattributes; echo secret >note.sec\n"
       "git add -A; git commit -qm One; touch note.sec"},
  {"a filter that fails and is not required",
   "git config filter.bad.clean false; echo '*.sec filter=bad' "
   ">.gitattributes; echo secret >note.sec"},
  {"a filter program in the home",
   "mkdir -p ~/bin; printf '#!/bin/sh\\ntr a-z n-za-m\\n' >~/bin/rot\n"
   "chmod +x ~/bin/rot; git config filter.rot.clean '~/bin/rot'\n"
   "echo '*.sec filter=rot' >.gitattributes; echo secret >note.sec"},
  {"a filter that reads its file's name",
   "git config filter.name.clean 'echo %f; cat'\n"
   "echo '*.sec filter=name' >.gitattributes; echo secret >note.sec"},
  {"several $Id$", "echo '*.id ident' >.gitattributes\n"
                   "printf '$Id$ one $Id: x$ two\\n' >a.id"},
  {"a macro of attributes",
   ROT "printf '[attr]cipher filter=rot -diff\\n*.sec cipher\\n' "
       ">.gitattributes; echo secret >note.sec"},
  {"the longest line of attributes that git reads",
   "printf '*.c%2044s\\n' text >.gitattributes; printf 'a\\r\\nb\\r\\n' >a.c"},
  {"a line of attributes that is too long for git",
   "printf '*.c%2045s\\n*.h text\\n' text >.gitattributes\n"
   "printf 'a\\r\\nb\\r\\n' | tee a.c >a.h"},
  {"a very long line of attributes, and it alone",
   "printf 'x%1000000s' text >.gitattributes"},

  // encodings and line ends
  {"working-tree-encoding",
   "echo '*.u16 working-tree-encoding=UTF-16LE' >.gitattributes\n"
   "printf 'h\\0i\\0\\n\\0' >a.u16"},
  {"eol=crlf", "echo '*.bat text eol=crlf' >.gitattributes\n"
               "printf 'a\\r\\nb\\r\\n' >a.bat"},
  {"eol=lf with CRLF in the file",
   "echo '*.sh text eol=lf' >.gitattributes; printf 'a\\r\\nb\\r\\n' >a.sh"},
  {"text=auto", "echo '* text=auto' >.gitattributes\n"
                "printf 'a\\r\\nb\\r\\n' >a.c; printf 'a\\r\\n\\0' >a.bin"},
  {"autocrlf=input", "git config core.autocrlf input\n"
                     "printf 'a\\r\\nb\\r\\n' >a.c"},
  {"autocrlf=true", "git config core.autocrlf true\n"
                    "printf 'a\\r\\nb\\r\\n' >a.c; printf 'a\\n' >b.c"},
  {"autocrlf=true in the home's configuration",
   "git config --global core.autocrlf true; printf 'a\\r\\n' >a.c"},
  {"core.eol=crlf",
   "git config core.eol crlf; echo '*.c text' >.gitattributes\n"
   "printf 'a\\r\\nb\\n' >a.c"},
  {"-text", "echo '* -text' >.gitattributes; git config core.autocrlf true\n"
            "printf 'a\\r\\nb\\r\\n' >a.c"},
  {"mixed line ends", "git config core.autocrlf input\n"
                      "printf 'a\\r\\nb\\nc\\r\\n' >a.c"},

  // ignore files
  {"the home's ignore file",
   "mkdir -p ~/.config/git; echo '*.key' >~/.config/git/ignore\n"
   "echo k >deploy.key; echo x >x"},
  {"core.excludesFile", "echo '*.key' >~/ignore\n"
                        "git config core.excludesFile '~/ignore'\n"
                        "echo k >deploy.key; echo x >x"},
  {"core.excludesFile of the home",
   "echo '*.key' >~/ignore\n"
   "git config --global core.excludesFile '~/ignore'\n"
   "echo k >deploy.key; echo x >x"},
  {"info/exclude", "mkdir -p .git/info; echo '*.key' >>.git/info/exclude\n"
                   "echo k >deploy.key; echo x >x"},
  {"a nested re-inclusion",
   "echo '*.log' >>.gitignore; mkdir logs; echo '!keep.log' >logs/.gitignore\n"
   "echo k >logs/keep.log; echo o >logs/other.log"},
  {"directories at the top are ignored",
   "echo '*/' >>.gitignore; echo x >top; mkdir d; echo y >d/y"},
  {"all but one directory",
   "printf '/*\\n!/keep/\\n!/.gitignore\\n' >.gitignore; mkdir keep drop\n"
   "echo k >keep/k; echo d >drop/d"},
  {"two stars", "printf 'a/**/z\\n' >.gitignore; mkdir -p a/b/c/z a/b/y\n"
                "echo 1 >a/b/c/z/f; echo 2 >a/b/y/f"},
  {"a pattern with a trailing space",
   "printf 'x\\\\ \\ny\\n' >.gitignore; echo 1 >'x '; echo 2 >y; echo 3 >z"},
  {"a file that was added although it is ignored",
   "echo x >x.o; git add -f x.o; echo y >y.o"},
  {"brackets and question marks",
   "printf '[ab]?\\n' >.gitignore; echo 1 >a1; echo 2 >c1; echo 3 >'[ab]?'"},
  {"a .gitignore that is a link", "echo '*.key' >rules; rm .gitignore\n"
                                  "ln -s rules .gitignore; echo k >a.key"},

  // indexes
  {"a split index", "git update-index --split-index; echo more >>empty"},
  {"core.splitIndex", "git config core.splitIndex true\n"
                      "echo a >a; git add a; echo b >b"},
  {"index version 4", "git update-index --index-version 4; echo a >a"},
  {"an untracked cache", "git update-index --force-untracked-cache\n"
                         "git status >/dev/null; echo a >a"},
  {"an fsmonitor that sees nothing",
   "printf '#!/bin/sh\\nprintf \"token\\\\0\"\\n' >~/fs; chmod +x ~/fs\n"
   "git config core.fsmonitor ~/fs; git status >/dev/null 2>&1; echo a >a"},
  {"no index", "rm .git/index"},
  {"many files", "mkdir m; for i in $(seq 2000); do echo $i >m/$i; done"},
  {"an index that skips its hash", "git config index.skipHash true; echo a >a"},
  {"feature.manyFiles", "git config feature.manyFiles true; echo a >a"},

  // sparse checkouts
  {"a sparse checkout by cones",
   "git sparse-checkout set src/part1; echo more >>src/part1/file1.txt"},
  {"a sparse checkout by patterns",
   "git sparse-checkout set --no-cone '/src/part1/' '/empty'\n"
   "echo more >>empty"},
  {"a sparse index", "git sparse-checkout set --cone --sparse-index src/part1\n"
                     "echo more >>src/part1/file1.txt; echo n >src/part1/n"},
  {"a sparse checkout that is over",
   "git sparse-checkout set src/part1; git sparse-checkout disable\n"
   "echo more >>empty"},
  {"a file of a sparse checkout that came back",
   "git sparse-checkout set src/part1; mkdir -p src/part2\n"
   "echo back >src/part2/file2.txt"},

  // configuration
  {"configuration of the work tree alone",
   "git config extensions.worktreeConfig true\n"
   "git config --worktree core.autocrlf input; printf 'a\\r\\n' >a.c"},
  {"an included configuration",
   "printf '[core]\\n\\tautocrlf = input\\n' >~/more\n"
   "git config include.path ~/more; printf 'a\\r\\n' >a.c"},
  {"a conditional include",
   "printf '[core]\\n\\tautocrlf = input\\n' >~/more\n"
   "git config 'includeIf.onbranch:work.path' ~/more; printf 'a\\r\\n' >a.c"},
  {"core.fileMode=false", "git config core.fileMode false; chmod +x empty"},
  {"core.symlinks=false", "git config core.symlinks false; rm link\n"
                          "printf 'bin/other' >link"},
  {"core.ignoreCase", "git config core.ignoreCase true; echo E >Empty2\n"
                      "echo e >empty3"},
  {"aliases of git's own commands",
   "git config alias.add '!false'; git config alias.commit '!false'\n"
   "git config alias.status '!false'; echo a >a"},
  {"colours and pagers", "git config color.ui always\n"
                         "git config core.pager false; echo a >a"},
  {"status.showUntrackedFiles=no",
   "git config status.showUntrackedFiles no; echo a >a"},
  {"signed commits", "git config commit.gpgSign true; git config gpg.program "
                     "false; echo a >a"},
  {"a commit template", "echo T >~/t; git config commit.template ~/t\n"
                        "git config commit.verbose true; echo a >a"},
  {"another encoding of commits",
   "git config i18n.commitEncoding ISO-8859-1; echo a >a"},
  {"hooks that refuse",
   "for h in pre-commit commit-msg pre-push prepare-commit-msg; do\n"
   "printf '#!/bin/sh\\nexit 1\\n' >.git/hooks/$h; chmod +x .git/hooks/$h\n"
   "done; echo a >a"},
  {"a path for hooks", "mkdir h; printf '#!/bin/sh\\nexit 1\\n' >h/pre-commit\n"
                       "chmod +x h/pre-commit; git config core.hooksPath h"},
  {"an editor that never ends", "git config core.editor 'sleep 1000; false'\n"
                                "echo a >a"},
  {"ignored submodules and diffs",
   "git config diff.ignoreSubmodules all; git config diff.noprefix true\n"
   "echo a >a"},
  {"a git directory elsewhere",
   "mv .git ~/git-dir; echo gitdir: ~/git-dir >.git; echo a >a"},
  {"a big-file threshold", "git config core.bigFileThreshold 1k\n"
                           "head -c 100000 /dev/zero >big"},

  // names, modes and kinds of files
  {"odd names", "echo 1 >$'new\\nline'; echo 2 >'quo\"te'; echo 3 >$'t\\tab'\n"
                "echo 4 >'back\\slash'; echo 5 >-dash; echo 6 >'end '\n"
                "echo 7 >':colon'; echo 8 >'*'; echo 9 >'[x]'; echo 0 >'#h'"},
  {"names that are no UTF-8", "echo 1 >$'\\xff\\xfe'"},
  {"long names", "n=$(printf 'x%.0s' $(seq 200)); mkdir -p $n/$n; echo 1 "
                 ">$n/$n/$n"},
  {"accents, composed and not", "echo 1 >$'caf\\xc3\\xa9'\n"
                                "echo 2 >$'cafe\\xcc\\x81'"},
  {"modes", "chmod +x empty; chmod -x bin/tool"},
  {"links", "ln -s nowhere dangling; rm link; echo f >link\n"
            "rm empty; ln -s bin/tool empty"},
  {"a file becomes a directory", "rm empty; mkdir empty; echo 1 >empty/1"},
  {"a directory becomes a file", "rm -r src/part1; echo 1 >src/part1"},
  {"a directory becomes a link", "rm -r src/part1; ln -s part2 src/part1"},
  {"empty directories", "mkdir -p e/m/p/t/y; rm -r src/part1; mkdir src/part1"},
  {"empty files", "rm empty; : >other; : >more"},
  {"everything is gone", "git rm -rqf ."},
  {"a renamed directory", "git mv src/part1 moved; echo x >>moved/file1.txt"},

  // what was staged
  {"staged, then changed", "echo 1 >a; git add a; echo 2 >a"},
  {"staged, then removed", "echo 1 >a; git add a; rm a"},
  {"removed from the index only", "git rm -q --cached empty"},
  {"intent to add", "echo 1 >a; : >b; git add -N a b"},
  {"intent to add, then removed", "echo 1 >a; git add -N a; rm a"},
  {"assume-unchanged", "git update-index --assume-unchanged empty\n"
                       "echo 1 >empty"},
  {"skip-worktree", "git update-index --skip-worktree empty bin/tool\n"
                    "echo 1 >empty; rm bin/tool"},
  {"a mode that only the index has", "git update-index --chmod=+x empty"},

  // history
  {"commits of one's own", "echo 1 >a; git add a; git commit -qm 1; echo 2 >b"},
  {"a merge of one's own",
   "git checkout -qb side; echo s >s; git add s; git commit -qm s\n"
   "git checkout -q work; echo w >w; git add w; git commit -qm w\n"
   "git merge -q --no-edit side; echo d >d"},
  {"a packed repository", "echo 1 >a; git add a; git commit -qm 1\n"
                          "git gc -q; git pack-refs --all; echo 2 >b"},
  {"a replaced commit",
   "echo 1 >a; git add a; git commit -qm 1\n"
   "git replace HEAD $(git commit-tree -m R HEAD~1^{tree}); echo 2 >b"},
  {"an amended commit", "echo 1 >a; git add a; git commit -qm 1\n"
                        "echo 2 >a; git commit -qa --amend -m 2; echo 3 >b"},
  {"a squashed merge",
   "git checkout -qb side; echo s >s; git add s; git commit -qm s\n"
   "git checkout -q work; git merge -q --squash side"},

  // other repositories
  {"a repository inside with a commit",
   "git init -q svc; cd svc; echo 1 >f; git add f\n"
   "GIT_COMMITTER_DATE='1 Jan 2026 00:00Z' "
   "git commit -qm 1 --date '1 Jan 2026 00:00Z'"},
};

} // namespace

TEST_CASE("check-in commits what git would") {
  auto which = GENERATE(range(std::size_t{0}, std::size(same_tree)));
  const auto& one = same_tree[which];
  INFO(one.name << "\n" << one.script);
  matrix_row at{one.script};
  auto wanted = at.expected();
  REQUIRE_FALSE(wanted.empty());
  at.check_in();
  CHECK(at.committed() == wanted);
  // And both agree on what is left.
  auto left = at.try_in_plain("git status --porcelain");
  CHECK((at.git().state("").dirty_files == 0) == left.out.empty());
}

TEST_CASE("what git refuses to commit is refused with its words") {
  struct refused_row {
    row what;
    const char* words;
  };
  const refused_row rows[] = {
    {{"a required filter that fails",
      "git config filter.bad.clean false; git config filter.bad.required true\n"
      "echo '*.sec filter=bad' >.gitattributes; echo secret >note.sec"},
     "note.sec: clean filter 'bad' failed"},
    {{"a filter that is required and not there",
      "git config filter.no.clean no-such-program\n"
      "git config filter.no.required true\n"
      "echo '*.sec filter=no' >.gitattributes; echo secret >note.sec"},
     "note.sec: clean filter 'no' failed"},
    {{"line ends that would not come back",
      "git config core.autocrlf input; git config core.safecrlf true\n"
      "printf 'a\\r\\n' >a.c"},
     "CRLF would be replaced by LF in a.c"},
    {{"an encoding that the file does not have",
      "echo '*.u8 working-tree-encoding=UTF-16' >.gitattributes\n"
      "printf 'abc' >a.u8"},
     "a.u8"},
  };
  auto which = GENERATE_COPY(range(std::size_t{0}, std::size(rows)));
  const auto& one = rows[which];
  INFO(one.what.name << "\n" << one.what.script);
  matrix_row at{one.what.script};
  CHECK(at.expected().empty());
  auto what = refusal_of([&] { at.check_in(); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains(one.words));
  CHECK(at.committed().empty());
}
