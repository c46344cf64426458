/// A bundle that a machine keeps, shared by the machine's copies: a step makes several, and a bundle is many arrays.
final class KeptBundle: Sendable {
  let bundle: Bundle

  init(_ bundle: Bundle) { self.bundle = bundle }
}
