"""Every case of Interop/vectors, done by the Python peer."""

import unittest

from vectors import FILES
from vectors.case import CLASSES, FOLDER, load, names, outcome


class Vectors(unittest.TestCase):
    def test_every_file_is_known(self) -> None:
        self.assertEqual(names(), sorted(FILES))

    def test_the_classes_are_those_of_the_document(self) -> None:
        lines = (FOLDER / "README.md").read_text("utf-8").splitlines()
        cells = [line.split("|")[1].strip() for line in lines if line.startswith("| `")]
        self.assertEqual([cell.strip("`") for cell in cells if not cell.endswith(".json`")], list(CLASSES))

    def test_every_case_comes_out_as_it_says(self) -> None:
        for name, checks in FILES.items():
            cases = load(name)
            self.assertTrue(cases, f"{name}.json is without cases")
            for case in cases:
                with self.subTest(file=name, case=case["name"]):
                    self.assertIn(case["expect"], CLASSES)
                    self.assertEqual(outcome(checks, case), case["expect"])


if __name__ == "__main__":
    unittest.main()
