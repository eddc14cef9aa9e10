import Control
import Names
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The user's folders, by the XDG base directory specification (0.8): a variable that is empty or holds a relative path counts as not
/// set. Whoever stands in a folder of somebody else's must not run what lies there.
enum UserFolders {
  static var home: String? { absolute("HOME") }
  /// Where `init.psh` lies.
  static var configuration: String? { base("XDG_CONFIG_HOME", "/.config") }
  /// Where the history lies.
  static var state: String? { base("XDG_STATE_HOME", "/.local/state") }

  /// Where the sockets of sessions lie, the first that can be used first.
  static var control: [ControlFolder] { ControlFolder.all(runtime: absolute("XDG_RUNTIME_DIR"), state: state) }

  private static func base(_ variable: String, _ belowHome: String) -> String? {
    (absolute(variable) ?? home.map { $0 + belowHome }).map { $0 + "/promptsh" }
  }

  /// Without slashes at its end.
  private static func absolute(_ name: String) -> String? {
    guard let pointer = getenv(name), pointer.pointee == CChar(bitPattern: UInt8(ascii: "/")) else { return nil }
    var path = SystemText.text(pointer)[...]
    while path.count > 1, path.last == "/" { path.removeLast() }
    return path == "/" ? "" : String(path)
  }

  /// What is wrong with the variables that name the user's folders, a line each: they have no effect, and whoever set them wonders why.
  /// (Empty is how one says that they are not set.)
  static var problems: [String] {
    ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"].compactMap { name in
      guard let value = HostSystem.variable(name), !value.isEmpty, !value.hasPrefix("/") else { return nil }
      return "\(name) is `\(value)`, no absolute path: it counts as not set"
    }
  }

  /// Makes a folder of ours, for nobody else to read: below a home that is there, or in a folder that is. Nothing is made above these.
  ///
  /// - Returns: why it is not there; nil where it is.
  static func problem(making folder: String) -> String? {
    var missing: [String] = []
    var place = folder[...]
    while !place.isEmpty, !isFolder(String(place)) {
      missing.append(String(place))
      place = place[..<(place.lastIndex(of: "/") ?? place.startIndex)]
    }
    let isBelowHome = home.map { place == $0 || place.hasPrefix($0 + "/") } ?? false
    guard let first = missing.last else { return nil }
    if access(SystemText.bytes(first), F_OK) == 0 { return "\(first) is no folder" }
    if !isBelowHome, missing.count > 2 { return "\(first) is not there" }
    for folder in missing.reversed() where mkdir(SystemText.bytes(folder), 0o700) != 0 {
      let problem = "\(folder): \(systemError())"
      if !isFolder(folder) { return problem }
    }
    return nil
  }

  private static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(SystemText.bytes(path), &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
