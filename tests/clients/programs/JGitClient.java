// JGit as a client of a session: clone URL DIR | push DIR FILE | fetch DIR
import java.io.File;
import java.nio.file.Files;
import java.util.List;
import org.eclipse.jgit.api.Git;
import org.eclipse.jgit.transport.RemoteRefUpdate;
import org.eclipse.jgit.transport.UsernamePasswordCredentialsProvider;

public class JGitClient {
  // It takes no password from a URL.
  static UsernamePasswordCredentialsProvider access(String url) {
    String[] user = url.replaceFirst("^[a-z]+://([^@]*)@.*", "$1").split(":");
    return new UsernamePasswordCredentialsProvider(user[0], user[1]);
  }

  static String urlOf(Git git) {
    return git.getRepository().getConfig().getString("remote", "origin", "url");
  }

  static void clone(String url, String directory) throws Exception {
    Git.cloneRepository().setURI(url).setDirectory(new File(directory))
        .setCredentialsProvider(access(url)).call().close();
  }

  static void push(Git git, String name) throws Exception {
    File top = git.getRepository().getWorkTree();
    Files.write(new File(top, name).toPath(), List.of("by JGit"));
    git.add().addFilepattern(name).call();
    git.commit().setMessage("Add a file").setAuthor("Ada", "ada@example.org")
        .setCommitter("Ada", "ada@example.org").call();
    for (var result : git.push().setCredentialsProvider(access(urlOf(git))).call())
      for (var update : result.getRemoteUpdates())
        if (update.getStatus() != RemoteRefUpdate.Status.OK)
          throw new Exception(update.toString());
  }

  static void fetch(Git git) throws Exception {
    git.fetch().setCredentialsProvider(access(urlOf(git))).call();
    for (String name : List.of(git.getRepository().getBranch(), "main"))
      System.out.println(git.getRepository()
          .resolve("refs/remotes/origin/" + name).name());
  }

  public static void main(String[] args) throws Exception {
    if (args[0].equals("clone")) {
      clone(args[1], args[2]);
      return;
    }
    try (Git git = Git.open(new File(args[1]))) {
      if (args[0].equals("push"))
        push(git, args[2]);
      else
        fetch(git);
    }
  }
}
