import { expect, test } from "vitest";
import { destination, pictureUrl, routeUrl } from "../src/address";

test("every address lies below Airflow's base path", () => {
  expect(routeUrl("night", { hours: 24, dag_id: undefined })).toBe(
    "http://airflow.example/studio/renderjuice/wall/night?hours=24",
  );
  expect(pictureUrl("job 1/../x", 256)).toBe(
    "http://airflow.example/studio/renderjuice/wall/pictures/job%201%2F..%2Fx?size=256",
  );
});

test("a page of this Airflow is opened by its router", () => {
  expect(destination("dags/d/runs/r%2F1/tasks/t?try_number=2")).toEqual({
    kind: "airflow",
    to: "/dags/d/runs/r%2F1/tasks/t?try_number=2",
  });
});

test("an address elsewhere is a link of its own", () => {
  expect(destination("https://files.example/a")).toEqual({
    kind: "elsewhere",
    href: "https://files.example/a",
  });
  expect(destination("/not/studio")).toEqual({
    kind: "elsewhere",
    href: "http://airflow.example/not/studio",
  });
});

test.each([
  "javascript:alert(1)",
  "JaVaScRiPt:alert(1)",
  "data:text/html,x",
  "file:///etc/passwd",
  "http://[",
  "",
  null,
])("%s is no link", (link) => {
  expect(destination(link)).toBeNull();
});
