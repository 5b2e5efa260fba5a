export { default } from "@/pages/models/Models";
