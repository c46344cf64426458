import API
import Glibc
import Testing

@Suite struct ClientTests {
  @Test(arguments: [
    (["PAWL_HOME": "/h/p"], "/h/p/control.sock"), (["PAWL_HOME": "/h/p/", "XDG_RUNTIME_DIR": "/r"], "/h/p/control.sock"),
    (["XDG_RUNTIME_DIR": "/r", "HOME": "/h"], "/r/pawl/control.sock"),
    (["XDG_STATE_HOME": "/s", "HOME": "/h"], "/s/pawl/control.sock"), (["HOME": "/h"], "/h/.local/state/pawl/control.sock"),
    (["PAWL_HOME": "", "XDG_RUNTIME_DIR": "relative", "HOME": "/h"], "/h/.local/state/pawl/control.sock"),
  ])
  func theSocketIsWhereTheRulesSay(_ environment: [String: String], _ path: String) throws {
    #expect(try SocketLocation.resolve(environment: environment) == path)
  }

  @Test func aRelativeHomeIsTakenFromTheWorkingDirectory() throws {
    let path = try SocketLocation.resolve(environment: ["PAWL_HOME": "here"])
    #expect(path.hasPrefix("/") && path.hasSuffix("/here/control.sock"))
  }

  @Test func nowhereAndTooFarAreClearErrors() {
    #expect(throws: Failure.self) { try SocketLocation.resolve(environment: [:]) }
    let long = "/" + String(repeating: "x", count: 100)
    let failure = #expect(throws: Failure.self) { try SocketLocation.resolve(environment: ["PAWL_HOME": long]) }
    #expect(failure?.message.contains("at most 107") == true)
    #expect(failure?.hint?.contains("PAWL_HOME") == true)
  }

  @Test func withoutASocketNoNodeIsRunning() {
    let failure = #expect(throws: Failure.self) { _ = try Client(path: "/tmp/pawl-no-such-folder/control.sock") }
    #expect(failure?.code == .noNode)
    #expect(failure?.exit == 10)
    #expect(failure?.hint?.contains("pawl up") == true)
  }

  @Test func aSocketLeftOverFromACrashMeansThatNoNodeIsRunning() throws {
    let path = "/tmp/pawl-left-over-\(getpid()).sock"
    unlink(path)
    defer { unlink(path) }
    let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(left, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    #expect(bound == 0)
    close(left)  // as a crash does: the file stays
    let failure = #expect(throws: Failure.self) { _ = try Client(path: path) }
    #expect(failure?.code == .noNode)
    #expect(failure?.message.contains("left over") == true)
  }

  @Test func aPathThatIsNoSocketIsNoNode() {
    #expect(throws: Failure.self) { _ = try Client(path: "/etc/hostname") }
    #expect(throws: Failure.self) { _ = try Client(path: "/tmp/" + String(repeating: "x", count: 200)) }
  }
}
