internal import ArgumentParser
@main struct Pawl { static func main() {} }
