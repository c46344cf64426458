internal import CSys
internal import Glibc

/// Starts a thread that nobody joins: whoever must know of its end is told by `body`.
func startThread(named name: String, _ body: @escaping @Sendable () -> Void) {
  let context = Unmanaged.passRetained(ThreadBody(name: name, run: body))
  var thread = pthread_t()
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
  let code = pthread_create(&thread, &attributes, threadMain, context.toOpaque())
  pthread_attr_destroy(&attributes)
  precondition(code == 0, "no thread to be had: \(code)")
}

private final class ThreadBody: Sendable {
  let name: String
  let run: @Sendable () -> Void

  init(name: String, run: @escaping @Sendable () -> Void) {
    self.name = name
    self.run = run
  }
}

private func threadMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let context else { return nil }
  let body = Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue()
  sys_name_thread(body.name)
  body.run()
  return nil
}

/// The calling thread, comparable with another's.
var currentThread: UInt { UInt(pthread_self()) }

/// A writer whose reader has gone gets an error instead of a signal that ends the process. For the whole process, once.
public func ignoreSIGPIPE() { _ = sigpipeIgnored }

private let sigpipeIgnored: Bool = {
  signal(SIGPIPE, SIG_IGN)
  return true
}()
