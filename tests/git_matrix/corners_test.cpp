// Corners of git's that people meet in real repositories: what check-in commits
// of them is what `git add -A && git commit` commits.
#include "tests/git_matrix/matrix.hpp"

using namespace greenroom;
using namespace greenroom::test;

namespace {

struct corner {
  const char* name;
  const char* script;
};

// Ids of commits have to be the same on both sides.
constexpr const char* fixed_dates = "export GIT_AUTHOR_DATE='1700000000 +0000' "
                                    "GIT_COMMITTER_DATE='1700000000 +0000'\n";

// clang-format off
constexpr corner corners[] = {
  {"core.commentChar auto",
   R"~(git config core.commentChar auto; git config commit.cleanup scissors; echo a >a)~"},
  {"merge.renames, diff.algorithm",
   R"~(git config merge.renames false; git config diff.algorithm patience; git config diff.renames copies; git mv empty e2; echo x>>bin/tool)~"},
  {"status settings",
   R"~(git config status.short true; git config status.branch true; git config status.showStash true; git config status.renames copies; git config status.submoduleSummary true; git config status.relativePaths false; git config column.ui always; echo a >a)~"},
  {"diff settings",
   R"~(git config diff.external false; git config diff.mnemonicPrefix true; git config diff.relative true; git config diff.context 0; git config diff.submodule log; git config diff.wordRegex .; git config diff.colorMoved zebra; echo a >a; echo b >>bin/tool)~"},
  {"commit-graph and midx",
   R"~(git commit-graph write --reachable; git repack -qad --write-midx 2>/dev/null || true; git config core.multiPackIndex true; echo a >a)~"},
  {"feature.experimental",
   R"~(git config feature.experimental true; echo a>a)~"},
  {"gc.auto 1",
   R"~(git config gc.auto 1; git config maintenance.auto true; for i in 1 2 3; do echo $i >f$i; git add f$i; git commit -qm $i; done; echo d>d)~"},
  {"trustctime, checkStat",
   R"~(git config core.trustctime false; git config core.checkStat minimal; echo xx >empty; touch -d '2001-01-01' empty)~"},
  {"racy same size",
   R"~(echo ab >r; git add r; git commit -qm r; echo cd >r; touch -r .git/index r)~"},
  {"core.untrackedCache",
   R"~(git config core.untrackedCache true; git status >/dev/null; mkdir u; echo a >u/a)~"},
  {"core.fsmonitor true",
   R"~(git config core.fsmonitor true; git status >/dev/null 2>&1||true; echo a >a)~"},
  {"core.preloadIndex threads",
   R"~(git config core.preloadIndex true; git config index.threads 4; echo a>a)~"},
  {"attributes per directory",
   R"~(mkdir d; printf '* text eol=crlf\n' >.gitattributes; printf '*.txt -text\n' >d/.gitattributes; printf 'a\r\n' >d/a.txt; printf 'a\r\n' >d/b.c)~"},
  {"attributes unspecified",
   R"~(printf '*.c text eol=crlf\na.c !eol !text\n' >.gitattributes; printf 'a\r\n' >a.c; printf 'a\r\n' >b.c)~"},
  {"attributes for a directory tree",
   R"~(printf 'd/** text eol=crlf\n' >.gitattributes; mkdir -p d/e; printf 'a\r\n' >d/e/a)~"},
  {"attributes quoted name",
   R"~(printf '"sp ace.c" text\n' >.gitattributes; printf 'a\r\n' >'sp ace.c')~"},
  {"info/attributes over gitattributes",
   R"~(printf '*.c text\n' >.gitattributes; mkdir -p .git/info; printf '*.c -text\n' >.git/info/attributes; printf 'a\r\n' >a.c)~"},
  {"home attributes",
   R"~(mkdir -p ~/.config/git; printf '*.c text\n' >~/.config/git/attributes; printf 'a\r\n' >a.c)~"},
  {"text=auto eol=crlf",
   R"~(printf '* text=auto eol=crlf\n' >.gitattributes; printf 'a\r\nb\n' >a.c; printf 'a\r\n\0' >b)~"},
  {"crlf legacy attr",
   R"~(printf '*.c crlf\n*.d -crlf\n*.e crlf=input\n' >.gitattributes; for f in a.c a.d a.e; do printf 'a\r\n' >$f; done)~"},
  {"autocrlf with crlf committed",
   R"~(printf 'a\r\nb\r\n' >c; git add c; git commit -qm c; git config core.autocrlf true; printf 'x\r\n' >>c)~"},
  {"UTF-16 with BOM",
   R"~(printf '*.u working-tree-encoding=UTF-16\n' >.gitattributes; printf '\xff\xfeh\0i\0' >a.u)~"},
  {"UTF-16LE-BOM",
   R"~(printf '*.u working-tree-encoding=UTF-16LE-BOM\n' >.gitattributes; printf '\xff\xfeh\0i\0' >a.u)~"},
  {"UTF-32",
   R"~(printf '*.u working-tree-encoding=UTF-32\n' >.gitattributes; printf '\xff\xfe\0\0h\0\0\0' >a.u)~"},
  {"SHIFT-JIS",
   R"~(printf '*.j working-tree-encoding=SHIFT-JIS\n' >.gitattributes; printf '\x83\x65\x83\x58\x83\x67\n' >a.j)~"},
  {"encoding with eol",
   R"~(printf '*.u text working-tree-encoding=UTF-16LE eol=crlf\n' >.gitattributes; printf 'h\0\r\0\n\0' >a.u)~"},
  {"ident and filter",
   R"~(git config filter.rot.clean 'tr a-z n-za-m'; printf '*.x ident filter=rot\n' >.gitattributes; printf '$Id: 12$ abc\n' >a.x)~"},
  {"export attributes",
   R"~(printf '*.x export-ignore\n*.y export-subst\n' >.gitattributes; echo 1 >a.x; echo '$Format:%H$' >a.y)~"},
  {"whitespace settings",
   R"~(git config core.whitespace trailing-space,tab-in-indent; git config apply.whitespace fix; printf 'a  \n' >a)~"},
  {"case-only rename",
   R"~(git mv empty Empty)~"},
  {"case-only rename by hand",
   R"~(mv empty EMPTY; mv src Src)~"},
  {"names that differ by case",
   R"~(echo 1 >Readme; echo 2 >README; mkdir D d; echo 1 >D/a; echo 2 >d/a)~"},
  {"core.ignoreCase and case rename",
   R"~(git config core.ignoreCase true; mv empty EMPTY)~"},
  {"fifo untracked",
   R"~(mkfifo p; echo a >a)~"},
  {"socket",
   R"~(python3 -c 'import socket;s=socket.socket(socket.AF_UNIX);s.bind("sock")'; echo a>a)~"},
  {"hard links",
   R"~(ln bin/tool bin/tool2; echo x >>bin/tool2)~"},
  {"odd modes",
   R"~(echo a >a; chmod 0600 a; echo b >b; chmod 0777 b; echo c >c; chmod 4755 c; echo d>d; chmod 0444 d; mkdir e; echo f >e/f; chmod 0555 e)~"},
  {"big file over threshold",
   R"~(git config core.bigFileThreshold 1m; head -c 40000000 /dev/zero >big; echo '*.big filter=x' >.gitattributes)~"},
  {"path of 3,900 bytes",
   R"~(n=$(printf 'x%.0s' $(seq 190)); p=$n; for i in $(seq 19); do p=$p/$n; done; mkdir -p $p; echo 1 >$p/f)~"},
  {"names of 255 bytes",
   R"~(n=$(printf 'y%.0s' $(seq 255)); echo 1 >$n; mkdir d; echo 2 >d/$n)~"},
  {"names that look like .git",
   R"~(echo 1 >.gitx; mkdir .git2; echo 2 >.git2/HEAD; echo 3 >x.git; mkdir git; echo 4 >git/config)~"},
  {"control characters",
   R"~(echo 1 >$'\x01\x02'; echo 2 >$'a\rb'; echo 3 >$'\x7f'; echo 4 >$'\e[31m')~"},
  {"leading and trailing",
   R"~(echo 1 >' lead'; echo 2 >'~'; echo 3 >'--'; echo 4 >'-'; echo 5 >'...'; echo 6 >'@{u}'; echo 7 >'HEAD'; echo 8 >'a:b'; mkdir -- '-d'; echo 9 >'-d/-f')~"},
  {"glob magic names",
   R"~(echo 1 >':(top)x'; echo 2 >':!y'; echo 3 >'a*b'; echo 4 >'[!a]'; rm empty; echo 5 >':/'  2>/dev/null || true)~"},
  {"latin-1 directory",
   R"~(d=$(printf 'caf\xe9'); mkdir $d; echo 1 >$d/$d)~"},
  {"a bare repository below",
   R"~(git init -q --bare bare; echo a >a)~"},
  {"gitlink without directory",
   R"~(git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub; echo a >a)~"},
  {"gitlink with empty directory",
   R"~(git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub; mkdir sub; echo a >a)~"},
  {"gitlink becomes a file",
   R"~(git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub; git commit -qm s; echo f >sub)~"},
  {"gitlink becomes a directory of files",
   R"~(git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub; git commit -qm s; mkdir -p sub; echo f >sub/f)~"},
  {"submodule removed",
   R"~(git init -q ~/lib; git -C ~/lib commit -q --allow-empty -m l; git -c protocol.file.allow=always submodule add -q ~/lib vendor/lib; git commit -qm s; git rm -q vendor/lib)~"},
  {"grafts",
   R"~(mkdir -p .git/info; git rev-parse HEAD >.git/info/grafts; echo a >a)~"},
  {"alternates of one's own",
   R"~(git init -q --bare ~/alt; mkdir -p .git/objects/info; echo ~/alt/objects >>.git/objects/info/alternates; echo a>a; git add a; git commit -qm a; cp -r .git/objects/[0-9a-f][0-9a-f] ~/alt/objects/; rm -rf .git/objects/[0-9a-f][0-9a-f]; echo b>b)~"},
  {"core.worktree",
   R"~(git config core.worktree "$PWD"; echo a>a)~"},
  {"repositoryformatversion 1",
   R"~(git config core.repositoryFormatVersion 1; git config extensions.noop true; echo a>a)~"},
  {"compression 0",
   R"~(git config core.compression 0; git config pack.compression 9; git config core.looseCompression 0; echo a>a)~"},
  {"push settings",
   R"~(git config push.default nothing; git config remote.origin.push refs/heads/*:refs/heads/x/*; git config remote.origin.mirror true; git config push.followTags true; echo a>a)~"},
  {"insteadOf",
   R"~(git config url.https://nowhere.invalid/.insteadOf git://; echo a>a)~"},
  {"user.useConfigOnly",
   R"~(git config user.useConfigOnly true; git config --global --unset user.name; git config --global --unset user.email; git config user.name A; git config user.email a@b; echo a>a)~"},
  {"rerere, and a lock that it left",
   R"~(git config rerere.enabled true; : >.git/MERGE_RR.lock; echo a>a)~"},
  {"ssh signing",
   R"~(git config gpg.format ssh; git config commit.gpgSign true; git config user.signingKey ~/nokey; echo a>a)~"},
  {"no reflog",
   R"~(git config core.logAllRefUpdates false; rm -rf .git/logs; echo a>a)~"},
  {"index with REUC/TREE ext",
   R"~(git checkout -qb s; echo 1 >c; git add c; git commit -qm 1; git checkout -q -; echo 2 >c; git add c; git commit -qm 2; git merge s >/dev/null 2>&1 || true; echo 3 >c; git add c; git commit -qm m)~"},
  {"orphan history on the branch",
   R"~(b=$(git symbolic-ref --short HEAD); git checkout -q --orphan tmp; git rm -rqf .; echo o >o; git add o; git commit -qm o; git branch -M $b; echo p >p)~"},
  {"reset to no commit",
   R"~(b=$(git symbolic-ref HEAD); git update-ref -d $b; echo a>a)~"},
  {"branch reset to the past with work",
   R"~(git commit -q --allow-empty -m x; git reset -q --hard HEAD~1; echo a >a)~"},
  {"commit encoding latin1",
   R"~(git config i18n.commitEncoding ISO-8859-1; printf 'caf\xe9' | git commit -q --allow-empty -F -; echo a >a)~"},
  {"commit with empty message",
   R"~(git commit -q --allow-empty --allow-empty-message -m ''; echo a>a)~"},
  {"commit with NUL-ish and long headers",
   R"~(git commit -q --allow-empty -m "$(printf 'x%.0s' $(seq 100000))"; echo a>a)~"},
  {"odd author",
   R"~(git -c user.name='A "B" C' -c user.email='' commit -q --allow-empty -m a 2>/dev/null || true; echo a>a)~"},
  {"tree with a null-ish duplicate mode 100664",
   R"~(h=$(git rev-parse HEAD:empty); t=$(printf '100664 blob %s\tgw\n' $h | git mktree 2>/dev/null || true); echo a>a)~"},
  {"nothing but what is committed, and a warning",
   R"~(ln -s bin/tool .gitattributes; git add -A; git commit -qm l)~"},
  {"nothing at all, and ignore files that are links",
   R"~(rm .gitignore; ln -s bin/tool .gitignore; git add -A; git commit -qm l)~"},
  {"commits with faults of old programs",
   R"~(c=$(printf 'tree %s\nparent %s\nauthor A <a@b> 1700000000 +051800\ncommitter C <c@d>1700000000 +0000\n\ncaf\xe9\n' $(git rev-parse HEAD^{tree} HEAD) | git hash-object -t commit -w --literally --stdin); git reset -q --hard $c; echo a >a)~"},
  {"trees with modes of old programs",
   R"~(t=$({ printf '040000 d\0'; git rev-parse HEAD:src | python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))'; } | git hash-object -t tree -w --literally --stdin); c=$(git commit-tree -p HEAD -m old $t); git reset -q --hard $c; echo a >a)~"},
  {"sparse no-cone negative",
   R"~(git sparse-checkout set --no-cone '/*' '!/src/part2/'; echo a>a; rm empty)~"},
  {"sparse reapply",
   R"~(git sparse-checkout init --cone; git sparse-checkout add src/part1; echo a >>src/part1/file1.txt; git sparse-checkout reapply)~"},
  {"split index shared expire",
   R"~(git config splitIndex.sharedIndexExpire now; git update-index --split-index; echo a>a; git add a; git update-index --split-index; echo b>b)~"},
  {"index v2 with v4 config",
   R"~(git config index.version 4; echo a>a; git add a)~"},
  {"ita and rename",
   R"~(git mv empty e3; echo x>n; git add -N n; mv n n2)~"},
  {"directory to submodule-like repo",
   R"~(rm -rf src/part1; git init -q src/part1; cd src/part1; echo x>x; git add x; git commit -qm x)~"},
  {"symlink to directory replaced by dir",
   R"~(ln -s src d; git add d; git commit -qm d; rm d; mkdir d; echo a >d/a)~"},
  {"file to symlink to outside",
   R"~(rm empty; ln -s /etc/passwd empty; ln -s . loop; ln -s ../../.. up)~"},
  {"symlink with odd target",
   R"~(ln -s $'new\nline' l1; ln -s 'trailing/' l2; ln -s "$(printf 'z%.0s' $(seq 4000))" l3)~"},
  {"gitignore with CR",
   R"~(printf '*.key\r\n' >.gitignore; echo k >a.key)~"},
  {"gitignore BOM",
   R"~(printf '\xef\xbb\xbf*.key\n' >.gitignore; echo k >a.key)~"},
  {"gitignore deep negation of dir",
   R"~(printf 'a/*\n!a/b/\n' >.gitignore; mkdir -p a/b a/c; echo 1 >a/b/f; echo 2 >a/c/f)~"},
  {"gitignore escaped",
   R"~(printf '\\#x\n\\!y\nfoo\\ \n' >.gitignore; echo 1 >'#x'; echo 2 >'!y'; echo 3 >'foo '; echo 4 >foo)~"},
  {"gitignore ignored itself",
   R"~(printf '.gitignore\n*.z\n' >d.tmp; mkdir q; mv d.tmp q/.gitignore; echo 1 >q/a.z; echo 2 >q/b)~"},
  {"ignored dir with tracked files",
   R"~(echo 'src/' >>.gitignore; echo n >src/new; echo m >>src/part1/file1.txt)~"},
  {"info/exclude as a symlink",
   R"~(mkdir -p .git/info; echo '*.key' >~/ex; ln -sf ~/ex .git/info/exclude; echo k >a.key)~"},
  {"excludesFile missing",
   R"~(git config core.excludesFile ~/nope; echo a>a)~"},
  {"includeIf gitdir",
   R"~(printf '[core]\n\tautocrlf = input\n' >~/more; git config --global "includeIf.gitdir:$PWD/.path" ~/more; printf 'a\r\n' >a.c)~"},
  {"config with CRLF and tabs",
   R"~(printf '[core]\r\n\tautocrlf = input\r\n' >>.git/config; printf 'a\r\n' >a.c)~"},
  {"safe.directory and bareRepository",
   R"~(git config --global safe.directory /nowhere; git config --global safe.bareRepository explicit; echo a>a)~"},
  {"packed refs with peeled",
   R"~(git tag -a -m x tx; git pack-refs --all; echo a>a)~"},
  {"HEAD via a symref chain",
   R"~(b=$(git symbolic-ref HEAD); git symbolic-ref refs/heads/alias $b; echo a>a)~"},
  {"worktree config and sparse",
   R"~(git config extensions.worktreeConfig true; git sparse-checkout set src/part1; echo a >src/part1/n)~"},
  {"everything staged then unstaged",
   R"~(echo a>a; git add a; git reset -q; echo b>>bin/tool; git add -u; git restore --staged bin/tool)~"},
  {"trailing slashes dir attr",
   R"~(printf 'd/ -text\nd/* text\n' >.gitattributes; mkdir d; printf 'a\r\n' >d/a)~"},
  {"a filter that is a process",
   R"~(cat >~/fp.py <<'END'
import sys
i,o=sys.stdin.buffer,sys.stdout.buffer
def pkt():
    h=i.read(4)
    if not h: sys.exit(0)
    n=int(h,16)
    return None if n==0 else i.read(n-4)
def lst():
    r=[]
    while True:
        p=pkt()
        if p is None: return r
        r.append(p)
def w(b): o.write(b"%04x"%(len(b)+4)+b)
def fl(): o.write(b"0000"); o.flush()
lst(); w(b"git-filter-server\n"); w(b"version=2\n"); fl()
lst(); w(b"capability=clean\n"); w(b"capability=smudge\n"); fl()
while True:
    lst(); d=b"".join(lst())
    w(b"status=success\n"); fl(); d=d.upper()
    for k in range(0,len(d),60000): w(d[k:k+60000])
    fl(); fl()
END
git config filter.up.process 'python3 ~/fp.py'; printf '*.up filter=up\n' >.gitattributes; echo hello >a.up; head -c 200000 /dev/zero | tr '\0' a >b.up)~"},
  {"an octopus of one's own",
   R"~(for b in x y z; do git checkout -qb $b work; echo $b >$b; git add $b; git commit -qm $b; done; git checkout -q work; git merge -q --no-edit x y z; echo d >d)~"},
  {"a filter that reads nothing",
   R"~(git config filter.n.clean 'echo const'; echo '*.n filter=n' >.gitattributes; head -c 3000000 /dev/urandom >a.n)~"},
  {"a filter that leaves nothing",
   R"~(git config filter.n.clean 'cat >/dev/null'; echo '*.n filter=n' >.gitattributes; echo abc >a.n)~"},
  {"a filter that asks git",
   R"~(git config filter.g.clean 'cat; git config --get user.name'; echo '*.g filter=g' >.gitattributes; echo x >a.g)~"},
  {"carriage returns alone",
   R"~(echo '* text=auto' >.gitattributes; printf 'a\rb\rc\r' >a.c; printf 'a\rb\r\n' >b.c)~"},
  {"attributes of directories, and taken back",
   R"~(mkdir -p d/e; printf '*.c text\nd/** -text\nd/e/*.c !text\n' >.gitattributes; for f in a.c d/a.c d/e/a.c; do printf 'a\r\n' >$f; done; git config core.autocrlf input)~"},
  {"of the same size and time",
   R"~(while [ $(date +%s) = $(stat -c %Z src/part1/file1.txt) ]; do :; done; cp -p src/part1/file1.txt ~/k; printf 'LINE 1\n' >src/part1/file1.txt; touch -r ~/k src/part1/file1.txt)~"},
  {"info/exclude takes back what .gitignore says",
   R"~(mkdir -p .git/info; echo '!*.o' >>.git/info/exclude; echo 1 >a.o)~"},
  {"re-inclusions below what is ignored",
   R"~(mkdir -p n/m/o; printf '*\n!*/\n!.gitignore\n!*.keep\n' >n/.gitignore; echo 1 >n/a; echo 2 >n/m/b.keep; echo 3 >n/m/o/c; echo 4 >n/m/o/d.keep)~"},
  {"a sparse checkout without its file",
   R"~(git config core.sparseCheckout true; echo 1 >n)~"},
  {"moved by a sparse checkout",
   R"~(git sparse-checkout set --cone src/part1; git mv --sparse src/part1/file1.txt src/part2/moved.txt)~"},
  {"skip-worktree and a directory that is gone",
   R"~(git update-index --skip-worktree src/part1/file1.txt; rm -r src/part1; echo a >a)~"},
  {"intent to add a link and a program",
   R"~(echo a >a; chmod +x a; ln -s a b; git add -N a b)~"},
  {"a file by way of a link to its directory",
   R"~(ln -s src/part1 lp; echo new >lp/through; rm lp/file1.txt)~"},
  {"a directory of .git's name with nothing in it",
   R"~(mkdir -p svc/.git; echo 1 >svc/f; echo a >a)~"},
  {"a replaced blob",
   R"~(h=$(git rev-parse HEAD:bin/tool); git replace $h $(echo other | git hash-object -w --stdin); echo b >b)~"},
  {"aliases of what git is made of",
   R"~(for a in cat-file rev-parse for-each-ref pack-objects write-tree update-index ls-files hash-object; do git config alias.$a '!false'; done; echo b >b)~"},
  {"a commit-graph whose commits are gone",
   R"~(echo a >a; git add a; git commit -qm a; git commit-graph write --reachable --split 2>/dev/null; git commit -q --amend -m b; git reflog expire --expire=now --all; git prune --expire=now; echo b >b)~"},
  {"a signature that is no part of ours",
   R"~(c=$(git cat-file commit HEAD | sed '/^committer/a gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----' | git hash-object -t commit -w --stdin); git reset -q --hard $c; echo a >a)~"},
  {"a broken reference",
   R"~(echo a >a; mkdir -p .git/refs/heads/x; : >.git/refs/heads/x/empty; echo rubbish >.git/refs/heads/other)~"},
  {"a reference to an object that is gone",
   R"~(echo a >a; mkdir -p .git/refs/heads; echo 1111111111111111111111111111111111111111 >.git/refs/heads/gone)~"},
};
// clang-format on

} // namespace

TEST_CASE("corners of git's are committed as git commits them") {
  auto which = GENERATE(range(std::size_t{0}, std::size(corners)));
  const auto& one = corners[which];
  INFO(one.name << "\n" << one.script);
  matrix_row at{std::string{fixed_dates} + one.script};
  auto wanted = at.expected();
  REQUIRE_FALSE(wanted.empty());
  at.check_in();
  CHECK(at.committed() == wanted);
}

TEST_CASE("names that are git's own are refused with its words") {
  auto script = GENERATE("echo 1 >git~1", "mkdir .GIT; echo 1 >.GIT/x");
  matrix_row at{script};
  CHECK(at.expected().empty());
  auto what = refusal_of([&] { at.check_in(); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("invalid path"));
}

TEST_CASE("an object that is not sound is named") {
  matrix_row at{R"~(
h=$(git rev-parse HEAD:empty)
t=$({ printf '100644 ..\0'; echo $h | python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))'; } | git hash-object -t tree -w --literally --stdin)
git update-ref HEAD $(git commit-tree -p HEAD -m bad $t); git reset -q HEAD~1 -- .)~"};
  auto what = refusal_of([&] { at.check_in(); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message,
             Catch::Contains("object ") && Catch::Contains("hasDotdot"));
}

TEST_CASE("a broken reference costs only what it named, and is told") {
  matrix_row at{"echo a >a; mkdir -p .git/refs/heads/x\n"
                ": >.git/refs/heads/x/empty\n"
                "git branch side $(git commit-tree -m side 'HEAD^{tree}')"};
  SECTION("at check-in") {
    auto rescued = at.check_in().rescued;
    CHECK(at.kept(rescued) == std::set<std::string>{"heads/side"});
    REQUIRE(rescued.note);
    CHECK_THAT(*rescued.note, Catch::Contains("refs/heads/x/empty"));
  }
  SECTION("at the end") {
    auto rescued = at.rescue();
    CHECK(at.kept(rescued) == std::set<std::string>{"heads/side", "tree"});
    REQUIRE(rescued.note);
    CHECK_THAT(*rescued.note, Catch::Contains("refs/heads/x/empty"));
  }
}
