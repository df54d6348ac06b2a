// Many tasks of one process wait for a condition.
export async function herd(condition, tasks, back) {
  await Promise.all(
    Array.from({ length: tasks }, async () => {
      const guard = await condition.acquire();
      await condition.wait();
      guard.release();
    }),
  );
  back.add(tasks);
}
