import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// Keys live in the node's process: nothing may write its memory to a disk.
  @Suite(.timeLimit(.minutes(3))) struct CoreDumpTests {
    /// A user whose processes tell, by the owner of their files in /proc, whether they may be dumped: for root, nobody; else
    /// who runs the test.
    private static let user: uid_t = geteuid() == 0 ? 65_534 : geteuid()

    /// Starts what follows as that user, with every core dump allowed. The program is opened before the user changes, since
    /// its folder may be closed to others.
    private static let allowing: [String] = {
      let allow = "ulimit -S -c \"$(ulimit -H -c)\"; exec 3<\"$0\"; "
      let run = geteuid() == 0 ? "exec setpriv --reuid=65534 --regid=65534 --clear-groups" : "exec"
      return ["/bin/sh", "-c", "\(allow)\(run) /proc/self/fd/3 \"$@\""]
    }()

    @Test func aRunningNodeCannotBeDumped() async throws {
      try await Household.with { house in
        let studio = house.node("studio")
        try FileManager.default.createDirectory(
          atPath: studio.home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        #expect(chmod(house.path, 0o711) == 0 && chmod("\(house.path)/homes", 0o711) == 0)
        #expect(chown(studio.home, Self.user, gid_t(Self.user)) == 0 || geteuid() != 0)
        try await studio.start(through: Self.allowing)
        let pid = try #require(studio.process?.pid)
        // No limit above zero is left, and none can be set again.
        #expect(try Self.coreLimits(pid) == ["0", "0"])
        // The kernel gives the files of a process that may not be dumped to root. No core pattern gets a dump of it.
        #expect(try Self.owner(pid) == 0)
        #expect(try await studio.stop() == .exit(0))
      }
    }

    @Test func aProcessThatMayBeDumpedLooksDifferent() async throws {
      try await Household.with { house in
        let started = try await Child.start(
          ["up"], home: house.path, log: "\(house.path)/log",
          through: [
            Self.allowing[0], "-c", Self.allowing[2].replacing("\"$@\"", with: "-c 'echo ready; exec tail -f /dev/null'"),
            "/bin/sh",
          ],
          on: house.loop)
        _ = try await started.line(containing: "ready")
        let pid = try #require(started.pid)
        #expect(try Self.owner(pid) == Self.user)
        try await started.destroy()
      }
    }

    /// The soft and the hard limit of a core file, as the kernel writes them.
    private static func coreLimits(_ pid: pid_t) throws -> [Substring] {
      let text = try String(contentsOfFile: "/proc/\(pid)/limits", encoding: .utf8)
      let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("Max core file size") })
      return Array(line.dropFirst("Max core file size".count).split(separator: " ").prefix(2))
    }

    /// Who owns the process's files.
    private static func owner(_ pid: pid_t) throws -> uid_t {
      var status = stat()
      try #require(stat("/proc/\(pid)/environ", &status) == 0)
      return status.st_uid
    }
  }
}
